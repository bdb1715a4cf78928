# SPDX-License-Identifier: GPL-3.0-or-later
"""Several threads on one kernel. Kernels hand out their jobs by a shared counter, so a slow thread holds nobody up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import torch


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="kernel")


@contextmanager
def alone() -> Iterator[None]:
    """What this thread calls `together` stays on this thread and on one of torch's."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def together(work: Callable[[], None]) -> None:
    """Call `work` on as many threads as torch would take here, this one among them, until all have returned."""
    helpers = [_pool().submit(work) for _ in range(torch.get_num_threads() - 1)]
    try:
        work()
    finally:
        for helper in helpers:
            # One that has not begun by now has nothing left to do.
            if not helper.cancel():
                helper.result()
