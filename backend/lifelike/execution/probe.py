# SPDX-License-Identifier: GPL-3.0-or-later
"""Which precision is fastest here: measured once on this machine, then remembered."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import torch
import torch.nn.functional as F

from lifelike.execution.convolution import FusedConvolution
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.library import library_folder
from lifelike.execution.precision import Precision
from lifelike.execution.threads import alone
from lifelike.whole_files import write_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.locations import cache_dir

WORTHWHILE = 1.2
"""How many times as fast bf16 must be to be chosen; less is not worth its rounding (reconstructed)."""

CHANNELS, SIDE, ROUNDS = 128, 32, 5  # of the convolution that is timed: some milliseconds each


def choose_precision(wish: Precision, device: str, kernels: Kernels | None) -> Precision:
    """FP32, BF16 or FP16 for a wish.

    A GPU multiplies bf16 from Ampere on and fp16 from Volta on. A CPU may or may not gain by bf16, which is measured;
    none gains by fp16.

    Raises:
        LifelikeError: INVALID_SETTING for a precision that would be slower here than fp32.
    """
    if device == "cuda":
        newest = torch.cuda.get_device_capability() >= (8, 0)
        if wish is Precision.BF16 and not newest:
            raise _refusal("bf16", "this GPU does not multiply it")
        return wish if wish is not Precision.AUTO else Precision.BF16 if newest else Precision.FP16
    if wish is Precision.FP16:
        raise _refusal("fp16", "CPUs are slower with it than with fp32")
    if wish is Precision.FP32:
        return wish
    ratio = bf16_gain(kernels)
    if wish is Precision.BF16 and ratio < 1.0:
        raise _refusal("bf16", f"this CPU is only {ratio:.1f} times as fast with it as with fp32")
    return Precision.BF16 if wish is Precision.BF16 or ratio >= WORTHWHILE else Precision.FP32


def _refusal(name: str, why: str) -> LifelikeError:
    return LifelikeError(ErrorCode.INVALID_SETTING, f"The precision {name} is refused: {why}.", "Use --precision auto.")


def bf16_gain(kernels: Kernels | None) -> float:
    """How many times as fast as with fp32 this CPU convolves with bf16; remembered across starts."""
    file, key = cache_dir() / "precision.json", _key(kernels)
    known = _read(file)
    if key not in known:
        known[key] = _measure(kernels)
        _write(file, known)
    return known[key]


def _key(kernels: Kernels | None) -> str:
    text = f"{library_folder().name} {torch.__version__} {kernels is not None}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _measure(kernels: Kernels | None) -> float:
    if kernels is not None and not kernels.half:
        return 0.0
    with torch.inference_mode(), alone():
        single, half = _convolution(kernels, half=False), _convolution(kernels, half=True)
        return _fastest(single) / _fastest(half)


def _convolution(kernels: Kernels | None, *, half: bool) -> Callable[[], object]:
    weight, x = torch.randn(CHANNELS, CHANNELS, 3, 3), torch.randn(1, CHANNELS, SIDE, SIDE)
    if kernels is not None:
        fused, ones = FusedConvolution(kernels, weight, half=half), torch.ones(1, CHANNELS)
        return lambda: fused(x, scale=ones, gain=ones, bias=ones[0], slope=ones[0])
    dtype = torch.bfloat16 if half else torch.float32
    x, weight = (value.to(dtype, memory_format=torch.channels_last) for value in (x, weight))
    return lambda: F.conv2d(x, weight, padding=1)


def _fastest(work: Callable[[], object]) -> float:
    """Processor seconds of this thread, which other programs at work hardly change."""
    work()
    return min(_seconds(work) for _ in range(ROUNDS))


def _seconds(work: Callable[[], object]) -> float:
    started = time.thread_time()
    work()
    return max(time.thread_time() - started, 1e-9)


def _read(file: Path) -> dict[str, float]:
    try:
        return {str(key): float(value) for key, value in json.loads(file.read_text("utf-8")).items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # measured again


def _write(file: Path, known: dict[str, float]) -> None:
    with suppress(OSError):  # it will be measured at every start
        write_whole(file, json.dumps(known, indent=1).encode())
