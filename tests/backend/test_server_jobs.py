# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue between the two threads, and how exceptions become answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import zmq

from lifelike.failures import explain
from lifelike.server.jobs import Job, JobQueue
from lifelike.server.options import check_host
from lifelike.server.outbox import Outbox
from lifelike.server.workbench import PROGRESS_SECONDS, ProgressReport, Workbench
from lifelike.worker import Worker
from lifelike_protocol.codec import Limits, decode
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Progress, Settings, Stage


def job(name: str, client: bytes = b"c") -> Job:
    return Job(client, name, Frame(np.zeros((2, 2, 3), np.uint8)), Settings())


def test_jobs_are_taken_in_the_order_they_came() -> None:
    queue = JobQueue(limit=8)
    jobs = [job(name) for name in "abc"]
    assert [queue.add(each) for each in jobs] == [0, 1, 2]
    taken = []
    for _ in jobs:
        taken.append(queue.take(0))
        queue.done()
    assert taken == jobs
    assert queue.take(0) is None


def test_position_counts_the_job_being_worked_on() -> None:
    queue = JobQueue(limit=8)
    queue.add(job("first"))
    queue.take(0)
    second, third = job("second"), job("third")
    assert [queue.add(second), queue.add(third)] == [1, 2]
    queue.done()
    assert queue.positions() == [(second, 0), (third, 1)]


def test_full_queue_refuses_and_keeps_what_it_has() -> None:
    queue = JobQueue(limit=2)
    waiting = [job("a"), job("b")]
    for each in waiting:
        queue.add(each)
    with pytest.raises(LifelikeError) as refused:
        queue.add(job("c"))
    assert refused.value.code is ErrorCode.QUEUE_FULL
    assert [each for each, _ in queue.positions()] == waiting


def test_removed_job_is_never_taken() -> None:
    queue = JobQueue(limit=8)
    kept, removed = job("kept"), job("removed")
    queue.add(removed)
    queue.add(kept)
    assert queue.remove(removed)
    assert queue.take(0) is kept
    assert not queue.remove(kept)


def test_close_wakes_who_waits_for_a_job() -> None:
    queue = JobQueue(limit=8)
    taken: list[Job | None] = []
    waiter = threading.Thread(target=lambda: taken.append(queue.take(None)))
    waiter.start()
    queue.close()
    waiter.join(30)
    assert taken == [None]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[Workbench, Outbox]]:
    """A workbench that has not begun, with its outbox."""
    context = zmq.Context()
    outbox = Outbox(context)
    yield Workbench(Worker("cpu"), JobQueue(1), outbox, 0.0, Limits(), tmp_path / "log"), outbox
    outbox.close()
    context.term()


def test_progress_is_thinned_out_but_no_stage_is_lost(bench: tuple[Workbench, Outbox]) -> None:
    workbench, outbox = bench
    report = ProgressReport(workbench, job("busy"))
    stages = [Stage.LOCATE, Stage.ALIGN, Stage.INVERT]
    times = 2000
    started = time.monotonic()
    for stage in stages:
        for _ in range(times):
            report(stage, 0.5)
    seconds = time.monotonic() - started
    notes = [decode(note.parts) for note in outbox.collect()]
    assert list(dict.fromkeys(note.stage for note in notes if isinstance(note, Progress))) == stages
    assert len(notes) <= len(stages) + seconds / PROGRESS_SECONDS


def test_report_of_a_cancelled_job_ends_the_work(bench: tuple[Workbench, Outbox]) -> None:
    cancelled = job("cancelled")
    report = ProgressReport(bench[0], cancelled)
    report(Stage.LOCATE, 0.0)
    cancelled.cancelled.set()
    with pytest.raises(LifelikeError) as ended:
        report(Stage.LOCATE, 0.1)
    assert ended.value.code is ErrorCode.CANCELLED


@pytest.mark.parametrize(
    "failure",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried …"),
        RuntimeError("MPS backend out of memory"),
    ],
    ids=lambda failure: type(failure).__name__,
)
def test_failed_allocations_are_told_as_out_of_memory(failure: BaseException) -> None:
    assert explain(failure).code is ErrorCode.OUT_OF_MEMORY


def test_failed_allocation_behind_another_exception_is_found() -> None:
    wrapped = ValueError("no picture")
    wrapped.__cause__ = MemoryError()
    assert explain(wrapped).code is ErrorCode.OUT_OF_MEMORY


@pytest.mark.parametrize("allocate", [torch.empty, np.empty])
def test_real_failed_allocations_are_recognised(allocate: Callable[[int], object]) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as failed:
        allocate(2**46)
    assert explain(failed.value).code is ErrorCode.OUT_OF_MEMORY


def test_unexpected_exceptions_name_the_log_and_show_no_internals() -> None:
    told = explain(KeyError("secret"), "here.log")
    assert told.code is ErrorCode.INTERNAL
    assert "here.log" in str(told)
    assert "secret" not in str(told)


def test_expected_errors_stay_as_they_are() -> None:
    error = LifelikeError(ErrorCode.NO_FACE, "No face.", "Show one.")
    assert explain(error) is error


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_no_leave(host: str) -> None:
    check_host(host, allow_remote=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.org"])
def test_other_hosts_need_leave(host: str) -> None:
    with pytest.raises(LifelikeError, match="--allow-remote"):
        check_host(host, allow_remote=False)
    check_host(host, allow_remote=True)
