# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages in and out of the server's socket, never waiting."""

from __future__ import annotations

from enum import Enum

import zmq

from lifelike.server.options import ServeOptions
from lifelike_protocol.codec import Limits, encode
from lifelike_protocol.connection import ConnectionInfo, generate_keys, server_socket
from lifelike_protocol.messages import PROTOCOL_VERSION, Message

# float32 RGBA
BYTES_PER_PIXEL = 16
LEAST_FRAME_BYTES = 2**26


class Delivery(Enum):
    """What became of a message handed to `Endpoint.send`."""

    SENT = "sent"
    FULL = "full"
    """The client reads so slowly that its line is full; the message is lost."""
    GONE = "gone"


class Endpoint:
    """The bound socket with its keys. Used by one thread.

    Args:
        context: the ZeroMQ context to live in.
        options: host, port and the largest picture.

    Raises:
        LifelikeError: INVALID_SETTING when the address can't be listened on.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], options: ServeOptions) -> None:
        # Twice what a picture may be, so that one a little too large is told so instead of being cut off.
        largest = max(LEAST_FRAME_BYTES, 2 * BYTES_PER_PIXEL * options.max_side**2)
        keys = generate_keys()
        self._listener = server_socket(context, keys, options.host, options.port, largest)
        self._limits = Limits(max_side=options.max_side)
        self.socket = self._listener.socket
        self.connection: ConnectionInfo = self._listener.info(keys)

    def receive(self) -> tuple[bytes, list[zmq.Frame]] | None:
        """The next message as (client, parts), uncopied, or None when there is none now."""
        try:
            client, *parts = self.socket.recv_multipart(zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return None
        return client.bytes, parts

    def send(self, client: bytes, message: Message, version: int = PROTOCOL_VERSION) -> Delivery:
        """Encode and hand over `message`, in the protocol version that was agreed on."""
        return self.send_parts(client, encode(message, self._limits, version))

    def send_parts(self, client: bytes, parts: list[bytes | memoryview]) -> Delivery:
        """Hand over an encoded message without copying."""
        try:
            self.socket.send_multipart([client, *parts], zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return Delivery.FULL
        except zmq.ZMQError as error:
            if error.errno != zmq.EHOSTUNREACH:
                raise
            return Delivery.GONE
        return Delivery.SENT

    def close(self, linger: float) -> None:
        """Stop listening; what was sent has up to `linger` seconds to arrive while the context ends."""
        self._listener.close(linger)
