# SPDX-License-Identifier: GPL-3.0-or-later
"""What the working thread has to say, on its way to the thread that speaks with clients."""

from __future__ import annotations

from contextlib import suppress
from queue import Empty, SimpleQueue

import zmq
from attrs import frozen

from lifelike.server.jobs import Job

Parts = list[bytes | memoryview]

WAKE_ADDRESS = "inproc://lifelike-outbox"


@frozen
class Note:
    """One encoded message for the client of `job`; `last` when it is the job's answer, `once` when it is no progress,
    which is told again while nothing new happens."""

    job: Job
    parts: Parts
    last: bool
    once: bool = False


class Outbox:
    """Notes from one thread to another; `wake` becomes readable when there are some.

    Made on the speaking thread; `open_sender` and `post` belong to the working one.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]]) -> None:
        self._context = context
        self._notes: SimpleQueue[Note] = SimpleQueue()
        self.wake = context.socket(zmq.PULL)
        self.wake.bind(WAKE_ADDRESS)
        self._bell: zmq.Socket[bytes] | None = None

    def open_sender(self) -> None:
        """Prepare `post` on the calling thread."""
        self._bell = self._context.socket(zmq.PUSH)
        self._bell.linger = 0
        self._bell.connect(WAKE_ADDRESS)

    def close_sender(self) -> None:
        """The calling thread will post no more."""
        if self._bell is not None:
            self._bell.close()

    def post(self, note: Note) -> None:
        """Leave `note` and wake the other thread; never waits."""
        self._notes.put(note)
        if self._bell is not None:
            # It fails only when a thousand rings are waiting already.
            with suppress(zmq.Again):
                self._bell.send(b"", zmq.NOBLOCK)

    def collect(self) -> list[Note]:
        """Every note left so far."""
        with suppress(zmq.Again):
            while True:
                self.wake.recv(zmq.NOBLOCK)
        notes = []
        with suppress(Empty):
            while True:
                notes.append(self._notes.get_nowait())
        return notes

    def close(self) -> None:
        """Stop listening."""
        self.wake.close(linger=0)
