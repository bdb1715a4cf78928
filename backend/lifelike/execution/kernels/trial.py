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
from interface import Convolution, Kernels  # alone, without the package and all that it loads

TOLERANCE = {False: 1e-4, True: 0.1}
"""Of the result's standard deviation, for fp32 and bf16; the values are as white noise, the hardest."""


def largest_error(kernels: Kernels, half: bool) -> float:
    """Of one convolution on white noise, in standard deviations of the right result."""
    rng = np.random.default_rng(0)
    inputs, outputs, side = 2 * kernels.lanes, 4 * kernels.lanes, 8
    x = rng.standard_normal((side, side, inputs)).astype(np.float32)
    weight = rng.standard_normal((3, 3, inputs, outputs)).astype(np.float32)
    ones, zeros = np.ones(max(inputs, outputs), np.float32), np.zeros(outputs, np.float32)
    stored = (x.view(np.uint32) >> 16).astype(np.uint16) if half else x
    read = (stored.astype(np.uint32) << 16).view(np.float32) if half else x
    packed = np.zeros(36 * inputs * outputs, np.uint16 if half else np.float32)
    y = np.zeros((side, side, outputs), stored.dtype)
    kernels.pack_weight(weight.ctypes.data, inputs, outputs, half, packed.ctypes.data)
    following = ctypes.c_int32(0)
    job = Convolution(inputs=inputs, outputs=outputs, height=side, width=side, half=half, tiles=3, groups=1)
    job.x, job.weight, job.y, job.next = *(a.ctypes.data for a in (stored, packed, y)), ctypes.addressof(following)
    job.scale = job.gain = job.slope = ones.ctypes.data
    job.bias = zeros.ctypes.data
    scratch = np.zeros(kernels.scratch_bytes(ctypes.byref(job)), np.uint8)
    kernels.convolve(ctypes.byref(job), scratch.ctypes.data)
    around = np.pad(read, ((1, 1), (1, 1), (0, 0)))
    right = sum(around[r : r + side, q : q + side] @ weight[r, q] for r in range(3) for q in range(3))
    found = (y.astype(np.uint32) << 16).view(np.float32) if half else y
    return float(np.abs(found - right).max() / np.std(right))


def main() -> None:
    """Exit with 1 and one line where a result is wrong."""
    kernels = Kernels(Path(sys.argv[1]))
    for half in (False, True) if kernels.half else (False,):
        error = largest_error(kernels, half)
        if not error < TOLERANCE[half]:
            sys.exit(f"a convolution is off by {error:.2g} of its standard deviation")


if __name__ == "__main__":
    main()
