# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures being worked on, and the thread that talks to the backend.

The thread owns the client and touches no bpy: work reaches it through one queue, news leaves it through
another, and the main thread reads the news when its timer fires. Only `Client.cancel` is called from outside.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from dataclasses import dataclass, field
from enum import Enum

from lifelike_protocol.client import Client

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Progress, Result, Settings, Stage, Status

from .backend_process import BackendProcess

_POLL = 0.1
"""Seconds between two looks at the process while it starts."""


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
    name: str = field(default_factory=lambda: uuid.uuid4().hex)
    state: JobState = JobState.WAITING
    stage: Stage = Stage.QUEUED
    fraction: float = 0.0
    queue_position: int = 0
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
class Finished:
    """A job's last news: exactly one of `result` and `error` is set."""

    job: Job
    result: Result | None = None
    error: LifelikeError | None = None


News = Ready | Gone | Advanced | Finished


class Worker(threading.Thread):
    """Waits for one backend process to become ready, then works on jobs one after another until stopped."""

    def __init__(self, process: BackendProcess, start_timeout: float) -> None:
        super().__init__(name="lifelike-worker", daemon=True)
        self.news: queue.Queue[News] = queue.Queue()
        self._process = process
        self._start_timeout = start_timeout
        self._work: queue.Queue[Job | None] = queue.Queue()
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
            client.cancel(job.name)

    def stop(self) -> None:
        """Lets the thread end after the message it waits for; does not wait for it."""
        self._stopping.set()
        self._work.put(None)

    # On the thread.

    def run(self) -> None:
        try:
            self._wait_for_connection_file()
            with Client.connect(self._process.connection_file, timeout=10.0, name="blender") as client:
                self._client = client
                self.news.put(Ready(client.status(timeout=10.0)))
                self._serve(client)
        except LifelikeError as error:
            if not self._stopping.is_set():
                self.news.put(Gone(error))
        except Exception as error:  # a thread that dies unseen would leave "Starting…" for ever
            self.news.put(Gone(_unexpected(error)))
        finally:
            self._client = None

    def _wait_for_connection_file(self) -> None:
        deadline = time.monotonic() + self._start_timeout
        while not self._process.ready:
            if self._stopping.wait(_POLL):
                raise LifelikeError(ErrorCode.CANCELLED, "The start was cancelled.")
            if not self._process.alive:
                raise LifelikeError(
                    ErrorCode.NOT_RUNNING,
                    f"The backend ended while it started ({self._process.why_it_ended()}).",
                    "Read the log, or set the backend's location in the preferences.",
                )
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
                continue
            if job is None:
                return
            try:
                self.news.put(Finished(job, result=self._enhance(client, job)))
            except LifelikeError as error:
                self.news.put(Finished(job, error=error))
                if error.code is ErrorCode.BACKEND_GONE:
                    raise
                if error.code is ErrorCode.TIMEOUT:
                    client.cancel(job.name)
            except Exception as error:
                self.news.put(Finished(job, error=_unexpected(error)))
            finally:
                self._submitted = ""
            self.news.put(Ready(client.status(timeout=10.0)))

    def _enhance(self, client: Client, job: Job) -> Result:
        if job.cancelled.is_set():
            raise LifelikeError(ErrorCode.CANCELLED, "The picture was cancelled.")
        client.submit(job.frame, job.settings, job=job.name)
        self._submitted = job.name
        if job.cancelled.is_set():  # between the look above and the submission
            client.cancel(job.name)
        for event in client.events(job.name, timeout=job.timeout):
            if isinstance(event, Result):
                return event
            self.news.put(Advanced(job, event))
        raise LifelikeError(ErrorCode.INTERNAL, "The backend ended a picture without a result.", "Read the log.")


def _unexpected(error: Exception) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INTERNAL,
        f"Something unexpected happened: {type(error).__name__}: {error}.",
        "Restart the backend; if it happens again, report it with the log.",
    )
