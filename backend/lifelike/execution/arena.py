# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory for large activations, in large pages, kept from layer to layer and from pass to pass.

What is larger than malloc keeps (32 MB) would be fetched from the system anew for every layer, and cleared by it: a
fifth to a half of a 1024-pixel pass. Here it all lies in one stretch of addresses, the lowest that are free, so that a
layer writes where the one before last did.
"""

from __future__ import annotations

import contextlib
import math
import mmap
import threading
import weakref
from collections import deque

import psutil
import torch
from torch import Tensor

LARGE = 32 << 20  # bytes; the largest that malloc keeps (mallopt(3), M_MMAP_THRESHOLD)
PAGE = 2 << 20
MOST, SHARE = 4 << 30, 0.5
"""Bytes of addresses, and at most that share of the machine's memory; only what is written to takes memory."""


class Arena:
    """Lends parts of one stretch of memory, each until nothing refers to it any more; safe between threads.

    Args:
        size: bytes, of which no page is taken before it is written to.

    Raises:
        OSError: the system does not give that much.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        with contextlib.suppress(OSError):  # a system without large pages
            self._pages.madvise(mmap.MADV_HUGEPAGE)
        self._ends: dict[int, int] = {}
        # Whatever frees a tensor may run at any moment, in any thread, even in one that holds the lock.
        self._returned: deque[int] = deque()
        self._lock = threading.Lock()

    def lend(self, size: int) -> memoryview | None:
        """At least so many bytes, or None where there is no gap that large."""
        size = -(-size // PAGE) * PAGE
        with self._lock:
            start = next((start for start, end in self._gaps() if end - start >= size), None)
            if start is None:
                return None
            self._ends[start] = start + size
        lent = memoryview(self._pages)[start : start + size]
        weakref.finalize(lent, self._returned.append, start).atexit = False
        return lent

    def give_back(self) -> None:
        """Return the memory of all that is not lent to the system; it is fetched anew when it is needed."""
        with self._lock:
            for start, end in self._gaps():
                self._pages.madvise(mmap.MADV_DONTNEED, start, end - start)

    def _gaps(self) -> list[tuple[int, int]]:
        """What is not lent: starts and ends, from below."""
        while self._returned:
            del self._ends[self._returned.popleft()]
        taken = sorted(self._ends.items())
        starts, ends = [0, *(end for _, end in taken)], [*(start for start, _ in taken), self.size]
        return [(start, end) for start, end in zip(starts, ends, strict=True) if start < end]


class OwnArena:
    """This process's arena, made when it is first needed."""

    def __init__(self) -> None:
        self._arena: Arena | None = None
        self._wanted = hasattr(mmap, "MADV_HUGEPAGE")  # Linux
        self._lock = threading.Lock()

    def lend(self, size: int) -> memoryview | None:
        """As `Arena.lend`; None also where there is no arena."""
        with self._lock:
            if self._wanted:
                self._wanted = False
                with contextlib.suppress(OSError, OverflowError):
                    self._arena = Arena(min(MOST, int(psutil.virtual_memory().total * SHARE) // PAGE * PAGE))
        return None if self._arena is None else self._arena.lend(size)

    def give_back(self) -> None:
        """As `Arena.give_back`."""
        if self._arena is not None:
            self._arena.give_back()


THIS_PROCESS = OwnArena()


def uninitialised(*shape: int, dtype: torch.dtype) -> Tensor:
    """A tensor on the CPU, with whatever was in its memory."""
    size = math.prod(shape) * dtype.itemsize
    lent = THIS_PROCESS.lend(size) if size >= LARGE else None
    if lent is None:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(lent, dtype=dtype, count=math.prod(shape)).view(shape)  # keeps `lent` as long as needed
