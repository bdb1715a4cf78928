# SPDX-License-Identifier: GPL-3.0-or-later
"""The working thread: takes jobs from the queue, runs the pipeline, posts progress and results."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path

from lifelike.devices import return_freed_memory
from lifelike.failures import cancelled, explain
from lifelike.pipeline import Listener
from lifelike.server.jobs import Job, JobQueue
from lifelike.server.outbox import Note, Outbox, Parts
from lifelike.worker import Worker
from lifelike_protocol.codec import Limits, as_message, encode
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array, Preview, Progress, Stage

# Twenty messages a second are enough for a smooth bar.
PROGRESS_SECONDS = 0.05

# So long without a job, and freed memory goes back to the system.
REST_SECONDS = 0.2

log = logging.getLogger(__name__)


class Workbench:
    """Runs jobs one after another on a thread of its own.

    Args:
        worker: owns bundles and pipelines; used on this thread only.
        queue: where jobs come from.
        outbox: where messages go.
        idle_unload: seconds without work after which the bundle leaves memory; 0: never.
        limits: what a result must keep to.
        log_file: named in answers to unexpected errors.
    """

    def __init__(
        self, worker: Worker, queue: JobQueue, outbox: Outbox, idle_unload: float, limits: Limits, log_file: Path
    ) -> None:
        self._worker = worker
        self._queue = queue
        self._outbox = outbox
        self._idle_unload = idle_unload
        self._limits = limits
        self._log_file = log_file
        self._rested = True
        # A daemon, so that a step that can't be interrupted doesn't keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="work", daemon=True)

    def start(self) -> None:
        """Begin to take jobs."""
        self._thread.start()

    def join(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for the thread to end, if it ever started; whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self._outbox.open_sender()
        while not self._queue.closed:
            self._take_one()
        self._outbox.close_sender()

    def _take_one(self) -> None:
        unloadable = self._idle_unload > 0 and self._worker.loaded_bundles
        patience = (self._idle_unload if unloadable else None) if self._rested else REST_SECONDS
        job = self._queue.take(patience)
        if job is not None:
            self._rested = False
            parts = self._answer(job)
            self._queue.done()
            self._outbox.post(Note(job, parts, last=True))
        elif not self._rested:
            # Now the answer has left too, and nobody waits for the few milliseconds this takes.
            return_freed_memory()
            self._rested = True
        elif unloadable and not self._queue.closed:
            self._worker.unload()

    def _answer(self, job: Job) -> Parts:
        """Work on `job`; every failure becomes the answer."""
        try:
            report = ProgressReport(self, job)
            listener = Listener(report.hear_error, partial(self.preview, job) if job.preview else None)
            result = self._worker.work(job.name, job.frame, job.settings, report, listener)
            return encode(result, self._limits, job.version)
        except Exception as error:
            return encode(as_message(self._told(job, error), job.name), version=job.version)

    def _told(self, job: Job, error: Exception) -> LifelikeError:
        """What to answer, with the details in the log.

        A function of its own: kept in a variable where it was caught, an exception and the frames of its traceback,
        pictures among them, would hold each other in memory.
        """
        failure = explain(error, self._log_file)
        if failure.code is ErrorCode.INTERNAL:
            log.error("job %s failed", job.name, exc_info=error)
        else:
            log.info("job %s ended: %s", job.name, failure)
        return failure

    def progress(self, job: Job, stage: Stage, fraction: float, error: float | None = None) -> None:
        """Tell the client of `job` how far it is, and how far off its inversion."""
        progress = Progress(job.name, stage, min(max(fraction, 0.0), 1.0), error=error)
        self._outbox.post(Note(job, encode(progress, version=job.version), last=False))

    def preview(self, job: Job, pixels: Array) -> None:
        """Show the client of `job` what there is already."""
        parts = encode(Preview(job.name, pixels, job.frame.encoding), self._limits, job.version)
        self._outbox.post(Note(job, parts, last=False, once=True))


class ProgressReport:
    """The pipeline's `report` of one job: sends progress now and then, and ends the work when it is cancelled."""

    def __init__(self, bench: Workbench, job: Job) -> None:
        self._bench = bench
        self._job = job
        self._stages: set[Stage] = set()
        self._sent_at = 0.0
        self._error: float | None = None

    def hear_error(self, error: float | None) -> None:
        """How far off the inversion is now, told with the next progress; None: it is over."""
        self._error = error

    def __call__(self, stage: Stage, fraction: float) -> None:
        """Called by the pipeline as often as it likes.

        Raises:
            LifelikeError: CANCELLED.
        """
        if self._job.cancelled.is_set():
            raise cancelled()
        now = time.monotonic()
        # The first word of each stage is never held back, so that no stage is missed.
        if stage in self._stages and now - self._sent_at < PROGRESS_SECONDS:
            return
        self._stages.add(stage)
        self._sent_at = now
        self._bench.progress(self._job, stage, fraction, self._error)
