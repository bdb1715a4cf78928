# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine, in words that another reader can compare with theirs."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import psutil
import torch

from lifelike.worker import versions


def describe(device: str) -> dict[str, Any]:
    """Processor, its instructions, memory, GPU where it is used, and the versions of what computes."""
    found: dict[str, Any] = {
        "processor": processor_name(),
        "processors": os.cpu_count() or 1,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "bf16_instructions": bf16_instructions(),
        "memory_bytes": psutil.virtual_memory().total,
        "busy": round(psutil.getloadavg()[0], 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "lifelike": versions()["lifelike"],
    }
    if device == "cuda":
        properties = torch.cuda.get_device_properties(0)
        found |= {"gpu": properties.name, "gpu_memory_bytes": properties.total_memory, "cuda": torch.version.cuda}
    return found


def processor_name() -> str:
    """As the system calls it."""
    for line in _processor_lines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def bf16_instructions() -> str:
    """ "AMX", "AVX-512" or "none" where the system tells; else "unknown"."""
    flags = {word for line in _processor_lines() if line.startswith("flags") for word in line.split()}
    if not flags:
        return "unknown"
    return "AMX" if "amx_bf16" in flags else "AVX-512" if "avx512_bf16" in flags else "none"


def _processor_lines() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return []
