# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures being worked on, and the thread that talks to the backend.

The thread owns the client and touches no bpy: work reaches it through one queue, news leaves it through
another, and the main thread reads the news when its timer fires. Only `Client.cancel` is called from outside.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from enum import Enum

from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Preview, Progress, Result, Settings, Stage, Status

from .backend_process import BackendNotFoundError, BackendProcess

_log = logging.getLogger(__name__)

_POLL = 0.1
"""Seconds between two looks at the process while it starts."""
_ANSWER = 30.0
"""Seconds that a greeting or a status may take: a busy machine is no dead backend."""
_END = object()
_ASK = object()


class JobState(Enum):
    """Where a picture is, as the interface shows it."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (JobState.DONE, JobState.FAILED, JobState.CANCELLED)


@dataclass(eq=False)
class Job:
    """One picture. Written by the main thread only; `cancelled` is how it tells the worker."""

    frame: Frame
    settings: Settings
    timeout: float
    wants_preview: bool = False
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: JobState = JobState.WAITING
    stage: Stage = Stage.QUEUED
    fraction: float = 0.0
    queue_position: int = 0
    inversion_error: float | None = None
    preview: Preview | None = None
    result: Result | None = None
    error: LifelikeError | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)


# News from the worker.


@dataclass(frozen=True)
class Ready:
    """The backend answers. Sent once after the start, and again with a fresher status."""

    status: Status


@dataclass(frozen=True)
class Gone:
    """The backend could not be started, or is lost; the worker has ended."""

    error: LifelikeError


@dataclass(frozen=True)
class Advanced:
    """A job came forward."""

    job: Job
    progress: Progress


@dataclass(frozen=True)
class Previewed:
    """There is something to look at while a better picture is being made."""

    job: Job
    preview: Preview


@dataclass(frozen=True)
class Finished:
    """A job's last news: exactly one of `result` and `error` is set."""

    job: Job
    result: Result | None = None
    error: LifelikeError | None = None


News = Ready | Gone | Advanced | Previewed | Finished


class Worker(threading.Thread):
    """Waits for one backend process to become ready, then works on jobs one after another until stopped."""

    def __init__(self, process: BackendProcess, start_timeout: float) -> None:
        super().__init__(name="lifelike-worker", daemon=True)
        self.news: queue.Queue[News] = queue.Queue()
        self._process = process
        self._start_timeout = start_timeout
        self._work: queue.Queue[Job | object] = queue.Queue()
        self._stopping = threading.Event()
        self._client: Client | None = None
        self._submitted = ""

    # Called from the main thread.

    def add(self, job: Job) -> None:
        """Queues a picture."""
        self._work.put(job)

    def cancel(self, job: Job) -> None:
        """Ends a picture, whether it is queued here, or being worked on."""
        job.cancelled.set()
        client = self._client
        if client is not None and self._submitted == job.name:
            with contextlib.suppress(LifelikeError):  # a lost connection ends the picture as well
                client.cancel(job.name)

    def ask(self) -> None:
        """Queues a question for the backend's status; the answer is a `Ready`."""
        self._work.put(_ASK)

    def stop(self) -> None:
        """Ends the connection and lets the thread end; does not wait for it."""
        self._stopping.set()
        self._work.put(_END)
        client = self._client
        if client is not None:
            client.close()  # whatever the thread waits for ends at once

    # On the thread.

    def run(self) -> None:
        try:
            self._wait_for_connection_file()
            with Client.connect(self._process.connection_file, timeout=_ANSWER, name="blender") as client:
                self._client = client
                self.news.put(Ready(client.status(timeout=_ANSWER)))
                self._serve(client)
        except LifelikeError as error:
            if not self._stopping.is_set():
                self.news.put(Gone(error))
        except Exception as error:  # a thread that dies unseen would leave "Starting…" for ever
            _log.exception("The worker failed")
            self.news.put(Gone(_unexpected(error)))
        finally:
            self._client = None

    def _wait_for_connection_file(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        while not self._process.ready:
            if self._stopping.wait(_POLL):
                raise LifelikeError(ErrorCode.CANCELLED, "The start was cancelled.")
            if not self._process.alive:
                raise _failed_start(self._process)
            if time.monotonic() > deadline:
                raise LifelikeError(
                    ErrorCode.TIMEOUT,
                    f"The backend was not ready after {self._start_timeout:.0f} seconds.",
                    "Read the log, then restart the backend.",
                )

    def _serve(self, client: Client) -> None:
        while not self._stopping.is_set():
            try:
                job = self._work.get(timeout=1.0)
            except queue.Empty:
                if client.error is not None:
                    raise client.error from None
                continue
            if job is _END:
                return
            if isinstance(job, Job):
                self._work_on(client, job)
            self.news.put(Ready(client.status(timeout=_ANSWER)))

    def _work_on(self, client: Client, job: Job) -> None:
        try:
            self.news.put(Finished(job, result=self._enhance(client, job)))
        except LifelikeError as error:
            self.news.put(Finished(job, error=error))
            if client.error is not None:
                raise
            if error.code is ErrorCode.TIMEOUT:
                client.cancel(job.name)
        except Exception as error:
            _log.exception("A picture failed")
            self.news.put(Finished(job, error=_unexpected(error)))
        finally:
            self._submitted = ""

    def _enhance(self, client: Client, job: Job) -> Result:
        if job.cancelled.is_set():
            raise LifelikeError(ErrorCode.CANCELLED, "The picture was cancelled.")
        client.submit(job.frame, job.settings, job=job.name, preview=job.wants_preview)
        self._submitted = job.name
        if job.cancelled.is_set():  # between the look above and the submission
            client.cancel(job.name)
        deadline = time.monotonic() + job.timeout
        while True:
            event = next(client.events(job.name, timeout=max(0.0, deadline - time.monotonic())))
            if isinstance(event, Result):
                return event
            self.news.put(Previewed(job, event) if isinstance(event, Preview) else Advanced(job, event))


def _failed_start(process: BackendProcess) -> LifelikeError:
    what = f"The backend ended while it started: {process.why_it_ended()}."
    if "No module named" in process.last_words():
        return BackendNotFoundError(
            ErrorCode.NOT_RUNNING, what, "Set the backend's location in the preferences, or run `python3 install.py`."
        )
    return LifelikeError(ErrorCode.NOT_RUNNING, what, "Read the log, then start the backend again.")


def _unexpected(error: Exception) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INTERNAL,
        f"Something unexpected happened: {type(error).__name__}: {error}.",
        "Restart the backend; if it happens again, report it with the log.",
    )
