# SPDX-License-Identifier: GPL-3.0-or-later
"""Lanes: threads that each take the next item, do all of its work and take the next.

Stages of different pictures overlap because lanes are at different stages: reading and writing files, numpy and torch
all let go of Python's lock while they compute. Nothing waits for the slowest stage, as it would if each stage had a
thread of its own, and nothing is cut into pieces too small for several processors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")

MOST_LANES = 8
"""Python's lock is held for some per cent of a picture's time: more lanes would begin to wait for it."""
WAIT_SLICE = 0.2
"""Seconds: on Windows a wait cannot be interrupted, so none is longer."""


def fitting_lanes(items: int, threads: int) -> int:
    """How many lanes are fast for so many items with so many CPU threads."""
    return max(1, min(items, threads, MOST_LANES))


def in_lanes(
    items: Sequence[Item],
    work: Callable[[Item], Outcome],
    lanes: int,
    stop: threading.Event,
    enter: Callable[[], None] = lambda: None,
) -> Iterator[Outcome]:
    """Does the work on every item and gives the outcomes in the items' order.

    An outcome is kept until those before it were taken, so it should be small. Whatever ends the iteration early,
    Ctrl-C among it, sets `stop`, begins nothing more and waits for what has begun.

    Args:
        items: what to work on; with one lane on the calling thread, one after the other.
        work: its exceptions end the iteration.
        lanes: how many items at a time, at least 1.
        stop: `work` should look at it often and end soon once it is set.
        enter: called once in each lane's thread; never with one lane.
    """
    if lanes == 1:
        yield from map(work, items)
        return
    pool = ThreadPoolExecutor(lanes, "lane", enter)
    started = threading.Barrier(lanes)
    try:
        # A thread whose start is interrupted is one the pool does not wait for: none has an item before all are there.
        for _ in range(lanes):
            pool.submit(started.wait)
        for future in [pool.submit(work, item) for item in items]:
            yield _outcome(future)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # first, or whoever stops would begin the next
        stop.set()
        started.abort()
        pool.shutdown()


def _outcome(future: Future[Outcome]) -> Outcome:
    while not wait([future], WAIT_SLICE).done:
        pass
    return future.result()
