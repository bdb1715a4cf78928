# SPDX-License-Identifier: GPL-3.0-or-later
"""Who waits for what: messages from the backend, sorted for the threads that want them."""

from __future__ import annotations

import copy
import threading
import time
from queue import Empty, SimpleQueue
from typing import TypeVar

from .codec import as_exception
from .errors import ErrorCode, LifelikeError
from .messages import Error, Message, Preview, Progress, Result

Event = Progress | Preview | Result
JobQueue = SimpleQueue[Progress | Preview | Result | LifelikeError]
Item = TypeVar("Item")

_WAIT_SLICE = 0.5
"""Seconds: on Windows a wait cannot be interrupted, so none is longer."""


class Inbox:
    """Sorts what comes by who waits for it. Knows nothing of the client, so that a forgotten one can be collected."""

    def __init__(self) -> None:
        self.replies: SimpleQueue[Message | LifelikeError] = SimpleQueue()
        self._jobs: dict[str, JobQueue] = {}
        self._lock = threading.Lock()

    def deliver(self, message: Message) -> None:
        """On the link's thread."""
        if isinstance(message, (Progress, Preview, Result, Error)) and message.job:
            with self._lock:
                queue = self._jobs.get(message.job)
            if queue is not None:
                queue.put(as_exception(message) if isinstance(message, Error) else message)
        elif isinstance(message, Error):
            # Something of ours could not be read, and nobody can say what: so nobody waits in vain.
            self.fail_all(as_exception(message))
        else:
            self.replies.put(message)

    def fail_all(self, error: LifelikeError) -> None:
        """Passes an error to everyone who waits."""
        with self._lock:
            queues = list(self._jobs.values())
        for queue in queues:
            queue.put(copy.copy(error))
        self.replies.put(copy.copy(error))

    def clear_replies(self) -> None:
        """Forgets an answer that came after its question was given up."""
        while not self.replies.empty():
            self.replies.get_nowait()

    def open_job(self, job: str) -> None:
        with self._lock:
            if job in self._jobs:
                raise LifelikeError(
                    ErrorCode.INVALID_SETTING, f"A job called {job:.40} is still open.", "Choose another name."
                )
            self._jobs[job] = SimpleQueue()

    def job(self, job: str) -> JobQueue:
        with self._lock:
            if job in self._jobs:
                return self._jobs[job]
        raise LifelikeError(
            ErrorCode.UNKNOWN_JOB, f"There is no open job called {job:.40}.", "Submit it first; a result comes once."
        )

    def has_job(self, job: str) -> bool:
        with self._lock:
            return job in self._jobs

    def close_job(self, job: str) -> bool:
        """Whether it was still open."""
        with self._lock:
            return self._jobs.pop(job, None) is not None


def take(queue: SimpleQueue[Item], timeout: float | None) -> Item | None:
    """The next item, or None when it does not come within `timeout` seconds."""
    deadline = None if timeout is None else time.monotonic() + timeout
    while True:
        remaining = _WAIT_SLICE if deadline is None else min(_WAIT_SLICE, deadline - time.monotonic())
        try:
            return queue.get(timeout=max(0.0, remaining))
        except Empty:
            if deadline is not None and time.monotonic() >= deadline:
                return None
