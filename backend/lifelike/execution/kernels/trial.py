# SPDX-License-Identifier: GPL-3.0-or-later
"""Tries a compiled library out, in a process of its own: `python trial.py LIBRARY`.

A library that ends its process, because the compiler or the processor is not what it seems, ends this one and not the
one that makes pictures. The exit status is 0 when it computes the right thing.
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from interface import Change, Convolution, Kernels  # alone, without the package and all that it loads

TOLERANCE = {False: 1e-4, True: 0.1}
"""Of the result's standard deviation, for fp32 and bf16; the values are as white noise, the hardest."""


def right_result(x: np.ndarray, weight: np.ndarray, change: Change) -> np.ndarray:
    """[HWI], [33IO] → what a convolution gives, step by step."""
    side = x.shape[0]
    if change is not Change.DOUBLED:
        around = np.pad(x, ((1, 1), (1, 1), (0, 0)))
        same = sum(around[r : r + side, q : q + side] @ weight[r, q] for r in range(3) for q in range(3))
        return same[::2, ::2] if change is Change.HALVED else same
    z = np.zeros((2 * side + 3, 2 * side + 3, weight.shape[-1]), np.float32)  # zeros around
    for r in range(3):
        for q in range(3):
            z[1 + r : 1 + r + 2 * side : 2, 1 + q : 1 + q + 2 * side : 2] += x @ weight[2 - r, 2 - q]
    for _ in range(2):
        z = (z[:-3] + 3 * z[1:-2] + 3 * z[2:-1] + z[3:]).swapaxes(0, 1) / 4
    return z


def largest_error(kernels: Kernels, change: Change, half: bool) -> float:
    """Of one convolution on white noise, in standard deviations of the right result."""
    rng = np.random.default_rng(0)
    inputs, outputs, side = 2 * kernels.lanes, 4 * kernels.lanes, 8
    x = rng.standard_normal((side, side, inputs)).astype(np.float32)
    weight = rng.standard_normal((3, 3, inputs, outputs)).astype(np.float32)
    ones, zeros = np.ones(max(inputs, outputs), np.float32), np.zeros(outputs, np.float32)
    stored = (x.view(np.uint32) >> 16).astype(np.uint16) if half else x
    read = (stored.astype(np.uint32) << 16).view(np.float32) if half else x
    right = right_result(read, weight, change)
    packed = np.zeros(kernels.packed_matrices(change) * inputs * outputs, stored.dtype)
    y, z = np.zeros(right.shape, stored.dtype), np.zeros((2 * side + 1, 2 * side + 1, outputs), stored.dtype)
    kernels.pack_weight(weight.ctypes.data, inputs, outputs, change, half, packed.ctypes.data)
    following = ctypes.c_int32(0)
    job = Convolution(inputs=inputs, outputs=outputs, height=side, width=side, change=change, half=half)
    job.tiles, job.groups, job.next = 3, 1, ctypes.addressof(following)
    job.x, job.weight, job.y, job.z = (a.ctypes.data for a in (stored, packed, y, z))
    job.scale = job.gain = job.slope = ones.ctypes.data
    job.bias = zeros.ctypes.data
    scratch = np.zeros(kernels.scratch_bytes(ctypes.byref(job)), np.uint8)
    kernels.convolve(ctypes.byref(job), scratch.ctypes.data)
    if change is Change.DOUBLED:
        following.value = 0
        kernels.blur(ctypes.byref(job))
    found = (y.astype(np.uint32) << 16).view(np.float32) if half else y
    return float(np.abs(found - right).max() / np.std(right))


def main() -> None:
    """Exit with 1 and one line where a result is wrong."""
    kernels = Kernels(Path(sys.argv[1]))
    for half in (False, True) if kernels.half else (False,):
        for change in Change:
            error = largest_error(kernels, change, half)
            if not error < TOLERANCE[half]:
                sys.exit(f"a convolution ({change.name}) is off by {error:.2g} of its standard deviation")


if __name__ == "__main__":
    main()
