# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that examine pictures side by side. A picture that ends its process is named, and the others go on."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection, get_context, parent_process
from typing import NamedTuple

from lifelike.datasets.preparation.examination import ENDED_PROCESS, NO_MEMORY, Examination, Work, examine
from lifelike.datasets.preparation.sources import Source
from lifelike.datasets.preparation.thresholds import Reason
from lifelike.faces.landmarks import Locator
from lifelike.failures import is_out_of_memory
from lifelike_protocol.errors import ErrorCode, LifelikeError

log = logging.getLogger(__name__)

AHEAD = 2
"""Pictures handed to each process at a time, so that none waits and little is lost when one ends."""


class Task(NamedTuple):
    """One picture to examine."""

    source: Source
    sha256: str


_here: tuple[Work, Locator | None] | None = None
"""In a worker process: its work and the locator it loaded."""


def examine_all(tasks: Iterable[Task], work: Work, processes: int) -> Iterator[Examination]:
    """Examinations as they are done, in any order.

    Raises:
        LifelikeError: INVALID_FILE where a portrait cannot be written; OUT_OF_MEMORY where no process stays alive.
    """
    waiting = iter(tasks)
    while True:
        running: dict[Future[Examination], Task] = {}
        broken: list[Task] = []
        # Spawned, not forked: a fork of a process that has used torch may hang.
        with ProcessPoolExecutor(processes, get_context("spawn"), _begin, (work,)) as pool:
            try:
                yield from _fed(pool, waiting, running, processes)
                return
            except BrokenProcessPool:
                broken = list(running.values())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
        alone = [_examined_alone(task, work) for task in broken]
        if all(examination.detail == ENDED_PROCESS for examination in alone):
            raise LifelikeError(
                ErrorCode.OUT_OF_MEMORY,
                "The processes that examine pictures end at once, whatever the picture.",
                "Close other programs or use fewer --workers; what is done is kept.",
            )
        yield from alone


def _fed(
    pool: ProcessPoolExecutor, waiting: Iterator[Task], running: dict[Future[Examination], Task], processes: int
) -> Iterator[Examination]:
    """Keeps the pool busy; a task stays in `running` until its examination was handed on."""
    while True:
        while len(running) < AHEAD * processes and (task := next(waiting, None)) is not None:
            try:
                running[pool.submit(_examine_here, task)] = task
            except BrokenProcessPool:
                running[Future()] = task
                raise
        if not running:
            return
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            examination = future.result()
            del running[future]
            yield examination


def _examined_alone(task: Task, work: Work) -> Examination:
    """One picture in a process of its own, after it was in a process that ended."""
    with ProcessPoolExecutor(1, get_context("spawn"), _begin, (work,)) as pool:
        try:
            return pool.submit(_examine_here, task).result()
        except BrokenProcessPool:
            return Examination(task.source.name, task.sha256, reason=Reason.UNREADABLE, detail=ENDED_PROCESS)


def _begin(work: Work) -> None:
    """Runs first in each process."""
    import torch

    from lifelike.bundles import load_bundle

    global _here
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    locator = load_bundle(work.bundle).locator
    _here = work, None if locator is None else locator.locate


def _end_with_parent() -> None:
    """A killed parent cannot tell its processes to end."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _examine_here(task: Task) -> Examination:
    assert _here is not None
    work, locator = _here
    try:
        return examine(task.source.path, task.source.name, task.sha256, work, locator)
    except LifelikeError:
        raise
    except Exception as failure:
        # One picture that nobody foresaw must not cost a night's work on the others.
        log.warning("%s: %r", task.source.path, failure)
        detail = NO_MEMORY if is_out_of_memory(failure) else f"it could not be examined ({type(failure).__name__})"
        return Examination(task.source.name, task.sha256, reason=Reason.UNREADABLE, detail=detail)
