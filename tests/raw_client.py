# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that sends whatever bytes it is given."""

from __future__ import annotations

from typing import Any

import zmq

from lifelike_protocol.codec import decode
from lifelike_protocol.connection import client_socket
from lifelike_protocol.messages import Message, Progress
from running_backend import RunningBackend

ANSWER_MS = 60_000


class RawClient:
    """One connection; whoever makes it closes it."""

    def __init__(self, backend: RunningBackend) -> None:
        self._context = zmq.Context()
        info = backend.info
        self._socket = client_socket(self._context, info)
        self._socket.connect(info.address)

    def send(self, parts: list[Any]) -> None:
        """Send raw frames."""
        self._socket.send_multipart(parts)

    def receive_parts(self) -> list[Any]:
        """The frames of the next message."""
        assert self._socket.poll(ANSWER_MS), "no answer came"
        return self._socket.recv_multipart(copy=False)

    def receive(self) -> Message:
        """The next message."""
        return decode(self.receive_parts())

    def ask(self, parts: list[Any]) -> Message:
        """The next message but progress after sending `parts`."""
        self.send(parts)
        while isinstance(answer := self.receive(), Progress):
            pass
        return answer

    def close(self) -> None:
        """Leave."""
        self._socket.close(linger=0)
        self._context.term()
