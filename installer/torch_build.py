# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of torch goes into the backend's environment: for the processor alone, or for an NVIDIA GPU.

What pip finds by itself differs: for Linux the public index holds the CUDA build, for Windows and macOS the CPU build,
and an index or folder that pip is configured with may hold another. So pip is asked first what it would take
(`--dry-run`), and only what does not fit is told or refused. This project names no index of its own: `--torch-index`
(or LIFELIKE_TORCH_INDEX) takes the address that PyTorch's own installation page shows for the build wanted.

The CUDA build runs without a GPU, too. It cannot be had without its CUDA libraries, which it loads on import.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from .refusal import Refusal
from .running import answer, run

CPU, CUDA = "cpu", "cuda"


@dataclass(frozen=True)
class TorchChoice:
    """What the person wants. build: "cpu", "cuda", or "" to look for a driver; index: an address, or "" for pip's."""

    build: str = ""
    index: str = ""

    @property
    def wanted(self) -> str:
        """CPU or CUDA."""
        return self.build or (CUDA if has_nvidia_driver() else CPU)

    @property
    def pip_options(self) -> list[str]:
        """What tells pip where to take torch from."""
        return ["--index-url", self.index] if self.index else []


def has_nvidia_driver() -> bool:
    """Whether this machine has an NVIDIA driver that answers."""
    if sys.platform == "darwin":
        return False
    if Path("/proc/driver/nvidia/version").exists():
        return True
    program = shutil.which("nvidia-smi")
    return program is not None and answer([program, "-L"], timeout=30) is not None


def build_found(python: Path, requirement: str, choice: TorchChoice, folder: Path) -> str:
    """CPU or CUDA: what pip would install for `requirement` (no dependencies are looked at, nothing is installed).

    Raises:
        Refusal: pip finds none, or cannot look.
    """
    report = folder / "torch-report.json"
    command: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--no-deps",
        "--ignore-installed",
        "--only-binary",
        ":all:",
    ]
    command += ["--report", report, *choice.pip_options, requirement]
    run(command, "Looking for torch", folder / "torch-look.log")
    found = json.loads(report.read_text(encoding="utf-8"))["install"][0]["metadata"]
    return build_of(found["version"], found.get("requires_dist", []))


def build_of(version: str, requirements: list[str]) -> str:
    """CPU or CUDA, from a torch wheel's version and dependencies."""
    local = version.partition("+")[2]
    if local:
        return CPU if local.startswith("cpu") else CUDA
    needs_cuda = any(
        name.startswith(("nvidia-", "cuda-")) and _applies_here(marker)
        for name, _, marker in (requirement.partition(";") for requirement in requirements)
    )
    return CUDA if needs_cuda else CPU


def _applies_here(marker: str) -> bool:
    """Whether the platform in a dependency's marker is this one; only the form torch uses is read."""
    named = re.findall(r"""(?:platform_system|sys_platform)\s*==\s*['"](\w+)['"]""", marker)
    return not named or sys.platform in named or platform.system() in named


def judge(found: str, choice: TorchChoice) -> str:
    """A sentence about a build that is not the wanted one, or "".

    Raises:
        Refusal: a CUDA build was asked for by name and there is none.
    """
    if found == choice.wanted:
        return ""
    where = "--torch-index takes the address of PyTorch's index with the {} builds (see its installation page)"
    if found == CUDA:
        return (
            "pip finds torch only with CUDA here, which works without a GPU but is about 3 GB more to download; "
            + where.format("CPU")
            + "."
        )
    if choice.build == CUDA:
        raise Refusal("pip finds torch only without CUDA here: " + where.format("CUDA") + ".")
    return "There is an NVIDIA driver, but pip finds torch only without CUDA here: " + where.format("CUDA") + "."
