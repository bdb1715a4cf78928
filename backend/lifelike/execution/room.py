# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory for large activations, in large pages where the system has them.

What is larger than malloc keeps (32 MB) is fetched from the system anew for every layer, 4 KB at a time: a fifth to a
third of a 1024-pixel pass. Pages of 2 MB leave little of that.
"""

from __future__ import annotations

import contextlib
import math
import mmap

import torch
from torch import Tensor

LARGE = 32 << 20  # bytes; the largest that malloc keeps (mallopt(3), M_MMAP_THRESHOLD)


def room(*shape: int, dtype: torch.dtype) -> Tensor:
    """An uninitialised tensor on the CPU."""
    size = math.prod(shape) * dtype.itemsize
    if size < LARGE or not hasattr(mmap, "MADV_HUGEPAGE"):
        return torch.empty(shape, dtype=dtype)
    pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with contextlib.suppress(OSError):  # a system without them
        pages.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(pages, dtype=dtype).view(shape)  # which keeps `pages` as long as it is needed
