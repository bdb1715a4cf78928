# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to use the backend: what the add-on, the command line and any other program call."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from .connection import ConnectionInfo, read_connection_file
from .errors import ErrorCode, LifelikeError
from .inbox import Event, Inbox, JobQueue, take
from .link import Link
from .locations import default_connection_file
from .messages import (
    PROTOCOL_VERSION,
    Cancel,
    Frame,
    Goodbye,
    Hello,
    Message,
    Preview,
    Progress,
    Result,
    Settings,
    Shutdown,
    Status,
    StatusRequest,
    Submit,
    Welcome,
)
from .validation import Limits

Reply = TypeVar("Reply", Welcome, Status, Goodbye)


class Client:
    """A connection to a running backend. Every method may be called from any thread; close it, or use `with`.

    Nothing waits for ever: when the backend dies every waiting call raises BACKEND_GONE, at once where the
    operating system reports it and otherwise within ten seconds (plus the time of a very large transfer).

    Attributes:
        info: where it is connected to.
        server: the backend's `Welcome`: protocol version, name, device, pid.

    Args:
        info: from `read_connection_file`.
        timeout: seconds for the connection and the greeting.
        name: what the backend's log calls this client.

    Raises:
        LifelikeError: NOT_RUNNING, REFUSED, VERSION_MISMATCH, BACKEND_GONE, TIMEOUT or MALFORMED.
    """

    def __init__(self, info: ConnectionInfo, *, timeout: float = 5.0, name: str = "") -> None:
        self.info = info
        self._inbox = Inbox()
        self._asking = threading.Lock()
        self._link = Link(info, self._inbox.deliver, self._inbox.fail_all)
        # Also closes a client that was forgotten, and before the interpreter ends.
        self._close = weakref.finalize(self, self._link.close)
        try:
            self.server = self._ask(Hello((PROTOCOL_VERSION,), name), Welcome, timeout)
            self._link.limits = Limits(max_side=self.server.max_side)
        except BaseException:
            self.close()
            raise

    @classmethod
    def connect(
        cls,
        connection_file: Path | None = None,
        *,
        timeout: float = 5.0,
        name: str = "",
    ) -> Client:
        """Connects to the backend that wrote `connection_file` (by default `default_connection_file()`).

        Raises:
            LifelikeError: NOT_RUNNING, REFUSED, VERSION_MISMATCH, BACKEND_GONE, TIMEOUT, MALFORMED or INVALID_FILE.
        """
        info = read_connection_file(connection_file or default_connection_file())
        return cls(info, timeout=timeout, name=name)

    @property
    def error(self) -> LifelikeError | None:
        """Why the connection is over; None while it lives."""
        return self._link.error

    def submit(
        self, frame: Frame, settings: Settings | None = None, job: str | None = None, *, preview: bool = False
    ) -> str:
        """Sends one picture and returns the job's name. Leave `frame.pixels` unchanged until it is answered.

        preview: whether a `Preview` is wanted where the settings ask for refinement or tuning.

        Raises:
            LifelikeError: what is wrong with the frame or the settings; BACKEND_GONE.
        """
        name = uuid.uuid4().hex if job is None else job
        self._inbox.open_job(name)
        try:
            self._link.send(Submit(name, frame, settings or Settings(), preview))
        except BaseException:
            self._inbox.close_job(name)
            raise
        return name

    def events(self, job: str, timeout: float | None = None) -> Iterator[Event]:
        """Everything that happens to a job, in order; the last is its `Result`. Arrays are read-only.

        Args:
            job: as `submit` returned it.
            timeout: seconds for each next event; None waits as long as the backend lives. After TIMEOUT the
                job goes on, and `events` may be called again.

        Raises:
            LifelikeError: UNKNOWN_JOB; TIMEOUT; BACKEND_GONE; or why the job failed, CANCELLED among it.
        """
        return self._events(job, self._inbox.job(job), timeout)

    def _events(self, job: str, queue: JobQueue, timeout: float | None) -> Iterator[Event]:
        while True:
            event = self._next_event(job, queue, timeout)
            yield event
            if isinstance(event, Result):
                return

    def _next_event(self, job: str, queue: JobQueue, timeout: float | None) -> Event:
        event = take(queue, timeout)
        if event is None:
            raise LifelikeError(ErrorCode.TIMEOUT, "The backend has not finished in time.", "Wait, or cancel it.")
        if isinstance(event, (Result, LifelikeError)):
            self._inbox.close_job(job)
        if isinstance(event, LifelikeError):
            raise event
        return event

    def enhance(
        self,
        frame: Frame,
        settings: Settings | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        timeout: float | None = None,
        on_preview: Callable[[Preview], None] | None = None,
    ) -> Result:
        """Sends one picture and waits for its result. Whatever ends the wait early cancels the job.

        Args:
            frame: the picture.
            settings: how to work.
            on_progress: called with each `Progress`; an exception of it cancels the job and is passed on.
            timeout: seconds for all of it; None waits as long as the backend lives.
            on_preview: called with the `Preview`, if there is one; nobody asks for it without.

        Raises:
            LifelikeError: as `submit` and `events`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        job = self.submit(frame, settings, preview=on_preview is not None)
        queue = self._inbox.job(job)
        try:
            while True:
                remaining = None if deadline is None else max(0.0, deadline - time.monotonic())
                event = self._next_event(job, queue, remaining)
                if isinstance(event, Result):
                    return event
                if isinstance(event, Progress) and on_progress:
                    on_progress(event)
                if isinstance(event, Preview) and on_preview:
                    on_preview(event)
        finally:
            if self._inbox.close_job(job):
                self._send_cancel(job)

    def cancel(self, job: str) -> None:
        """Asks to end a job; its `events` then raise CANCELLED. Nothing happens if it has ended already."""
        if self._inbox.has_job(job):
            self._send_cancel(job)

    def _send_cancel(self, job: str) -> None:
        with contextlib.suppress(LifelikeError):  # the connection is over, and the job with it
            self._link.send(Cancel(job))

    def status(self, timeout: float = 5.0) -> Status:
        """What the backend is doing; answered also while it works.

        Raises:
            LifelikeError: TIMEOUT or BACKEND_GONE.
        """
        return self._ask(StatusRequest(), Status, timeout)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Ends the backend and waits until it says goodbye. Open jobs end with BACKEND_GONE.

        Raises:
            LifelikeError: TIMEOUT.
        """
        try:
            self._ask(Shutdown(), Goodbye, timeout)
        except LifelikeError as error:
            if error.code is not ErrorCode.BACKEND_GONE:
                raise

    def close(self) -> None:
        """Ends the connection, not the backend. Waiting calls raise BACKEND_GONE. May be called twice."""
        self._close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, question: Message, kind: type[Reply], timeout: float) -> Reply:
        deadline = time.monotonic() + timeout
        late = LifelikeError(
            ErrorCode.TIMEOUT,
            f"The backend has not answered within {timeout:g} s.",
            "Try again; if that does not help, start the backend again.",
        )
        if not self._asking.acquire(timeout=max(0.0, timeout)):
            raise late
        try:
            self._inbox.clear_replies()
            self._link.send(question)
            while True:
                reply = take(self._inbox.replies, max(0.0, deadline - time.monotonic()))
                if reply is None:
                    raise late
                if isinstance(reply, LifelikeError):
                    raise reply
                if isinstance(reply, kind):
                    return reply
        finally:
            self._asking.release()
