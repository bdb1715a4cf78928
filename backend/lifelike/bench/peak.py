# SPDX-License-Identifier: GPL-3.0-or-later
"""The roof: what this machine reaches with nothing but multiplying, and how many operations a network needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lifelike.bench.clock import Clock, take_turns
from lifelike.bench.figures import Peak

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
MATMUL_SIDES = {"cpu": (1024, 2048), "cuda": (4096, 8192)}
CONVOLUTIONS = {"cpu": ((128, 128), (512, 64)), "cuda": ((256, 512), (512, 256))}
"""(channels, side) of 3×3 convolutions such as the generators'; the fastest shape counts."""


def measure_peaks(device: str, clock: Clock, rounds: int) -> tuple[Peak, ...]:
    """Peaks of both operations in each precision that the device may run in: the best of all shapes and rounds."""
    names = ("fp32", "bf16", "fp16") if device == "cuda" else ("fp32", "bf16")
    peaks = []
    with torch.inference_mode():
        for name in names:
            for operation, work in (("matmul", _matmuls), ("convolution", _convolutions)):
                peaks.append(Peak(operation, name, _best(work(device, PRECISIONS[name]), clock, rounds) / 1e9))
    return tuple(peaks)


Work = dict[str, tuple[Callable[[], Tensor], int]]
"""By name: what to do, and how many operations that is."""


def _best(work: Work, clock: Clock, rounds: int) -> float:
    """Operations a second."""
    contestants = {name: partial(clock.seconds, action) for name, (action, _) in work.items()}
    return max(work[name][1] / min(seconds) for name, seconds in take_turns(contestants, rounds).items())


def _matmuls(device: str, dtype: torch.dtype) -> Work:
    work: Work = {}
    for side in MATMUL_SIDES[device]:
        a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
        work[str(side)] = (partial(torch.mm, a, b), 2 * side**3)
    return work


def _convolutions(device: str, dtype: torch.dtype) -> Work:
    work: Work = {}
    for channels, side in CONVOLUTIONS[device]:
        x = torch.randn(1, channels, side, side, device=device)
        weight = torch.randn(channels, channels, 3, 3, device=device)
        x, weight = (value.to(dtype, memory_format=torch.channels_last) for value in (x, weight))
        work[f"{channels} {side}"] = (partial(F.conv2d, x, weight, padding=1), 2 * 9 * channels**2 * side**2)
    return work


def highest(peaks: tuple[Peak, ...]) -> dict[str, float]:
    """Operations a second, by precision: the higher of the two peaks."""
    best: dict[str, float] = {}
    for peak in peaks:
        best[peak.precision] = max(best.get(peak.precision, 0.0), peak.gflops * 1e9)
    return best


def count_operations(network: Callable[[], nn.Module], arguments: Mapping[str, tuple[int, ...]]) -> int:
    """Multiplications and additions of matrix products and convolutions in a pass, as the plain network does them.

    Args:
        network: builds it; nothing is computed and no memory taken, since it is built without values.
        arguments: by name, the shapes that it is called with.
    """
    with torch.device("meta"), torch.inference_mode():
        built = network().eval()
        inputs = {name: torch.empty(shape) for name, shape in arguments.items()}
        with FlopCounterMode(display=False) as counter:
            built(**inputs)
    return int(counter.get_total_flops())
