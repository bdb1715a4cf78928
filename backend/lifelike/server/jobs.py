# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and the queue between the thread that speaks with clients and the one that works."""

from __future__ import annotations

import threading
import time
from collections import deque

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import PROTOCOL_VERSION, Frame, Settings


class Job:
    """One submitted picture.

    `cancelled` is read by the working thread; what follows it belongs to the speaking one alone.
    """

    def __init__(
        self,
        client: bytes,
        name: str,
        frame: Frame,
        settings: Settings,
        preview: bool = False,
        version: int = PROTOCOL_VERSION,
    ) -> None:
        self.client = client
        self.preview = preview
        """Whether the client wants one."""
        self.version = version
        """Of the protocol, as the client speaks it."""
        self.name = name
        self.frame = frame
        self.settings = settings
        self.cancelled = threading.Event()
        self.answered = False
        """Whether the client has had the job's last message."""
        self.last_progress: list[bytes | memoryview] = []
        """The last progress the client was sent, encoded; empty before the first."""
        self.cancel_deadline: float | None = None
        """time.monotonic() at which a cancelled job is answered for, whether or not the work has ended."""


class JobQueue:
    """First come, first served, with a limit. Every method may be called from any thread.

    Args:
        limit: how many jobs may wait, the one being worked on not counted.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._waiting: deque[Job] = deque()
        self._working: Job | None = None
        self._changed = threading.Condition()
        self._closed = False

    def add(self, job: Job) -> int:
        """Put `job` at the end; returns how many jobs are before it.

        Raises:
            LifelikeError: QUEUE_FULL.
        """
        with self._changed:
            if len(self._waiting) >= self.limit:
                raise LifelikeError(
                    ErrorCode.QUEUE_FULL,
                    f"The backend already has {len(self._waiting)} pictures waiting.",
                    "Wait for some to finish and try again.",
                )
            self._waiting.append(job)
            self._changed.notify()
            return len(self._waiting) - 1 + (self._working is not None)

    def take(self, timeout: float | None) -> Job | None:
        """The next job, which is now being worked on; None after `timeout` seconds or once closed."""
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while not self._waiting and not self._closed:
                remaining = None if deadline is None else deadline - time.monotonic()
                if remaining is not None and remaining <= 0:
                    return None
                self._changed.wait(remaining)
            if self._closed:
                return None
            self._working = self._waiting.popleft()
            return self._working

    def done(self) -> None:
        """The job last taken is no longer being worked on."""
        with self._changed:
            self._working = None

    def remove(self, job: Job) -> bool:
        """Take a waiting job out; False when it isn't waiting any more."""
        with self._changed:
            try:
                self._waiting.remove(job)
            except ValueError:
                return False
            return True

    def positions(self) -> list[tuple[Job, int]]:
        """Every waiting job with the number of jobs before it."""
        with self._changed:
            before = int(self._working is not None)
            return [(job, index + before) for index, job in enumerate(self._waiting)]

    @property
    def working(self) -> Job | None:
        """The job being worked on."""
        return self._working

    @property
    def closed(self) -> bool:
        """Whether no more jobs will be handed out."""
        return self._closed

    def close(self) -> None:
        """Hand out no more jobs; `take` returns None at once."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
