# SPDX-License-Identifier: GPL-3.0-or-later
"""One live connection to the backend, on a thread of its own.

The thread alone touches the socket, so anyone may send from any thread, and heartbeats go on whatever the
rest of the program does.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

import zmq
from zmq.utils.monitor import recv_monitor_message

from .codec import decode, encode
from .connection import ConnectionInfo, client_socket
from .errors import ErrorCode, LifelikeError
from .messages import Goodbye, Message, Ping, Pong
from .validation import Limits

HEARTBEAT_INTERVAL = 1.0
"""Seconds of silence after which the backend is asked whether it is there."""
HEARTBEAT_LIMIT = 8.0
"""Seconds without any answer to that after which it counts as gone."""
SLOWEST_TRANSFER = 50e6
"""Bytes a second: what the largest message of the connection adds to the limit, because a `Ping` waits behind it."""
_FROZEN = 3.0
"""Seconds between two turns after which it was this process that stood still, not the backend."""

_LOST = (zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL, zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL)

_RESTART_REMEDY = "Start the backend again and repeat the job; the log file says why it ended."

_log = logging.getLogger(__name__)


class Link:
    """Sends messages, delivers what comes, and says when it is over.

    Args:
        info: from the connection file.
        deliver: called with each message that comes (but `Pong`), on the link's thread.
        ended: called once, on the link's thread, with the reason why nothing more will come.

    Attributes:
        error: why nothing more will come; None while the connection lives.
        limits: what to send and accept at most; the backend's greeting says how much it takes.
    """

    def __init__(
        self,
        info: ConnectionInfo,
        deliver: Callable[[Message], None],
        ended: Callable[[LifelikeError], None],
    ) -> None:
        self._deliver = deliver
        self._ended = ended
        self.error: LifelikeError | None = None
        self.limits = Limits()
        self._outgoing: SimpleQueue[list[bytes | memoryview]] = SimpleQueue()
        self._closing = False
        self._largest = 0
        self._welcomed = False  # by TCP and CURVE
        self._last_heard: float | None = None
        self._asked_at: float | None = None
        self._context = zmq.Context()
        try:
            self._open(info)
        except BaseException:
            self._context.destroy(linger=0)
            raise
        self._thread = threading.Thread(target=self._run, name="lifelike link", daemon=True)
        self._thread.start()

    def _open(self, info: ConnectionInfo) -> None:
        self._wake_lock = threading.Lock()
        self._wake = self._context.socket(zmq.PAIR)
        self._wake.bind("inproc://wake")
        self._woken = self._context.socket(zmq.PAIR)
        self._woken.connect("inproc://wake")
        self._socket = client_socket(self._context, info)
        self._monitor = self._socket.get_monitor_socket()
        try:
            self._socket.connect(info.address)
        except zmq.ZMQError as cause:
            raise LifelikeError(
                ErrorCode.MALFORMED,
                f"{info.address} is not an address: {zmq.strerror(cause.errno or 0)}.",
                "Use the form tcp://host:port.",
            ) from cause

    # From any thread.

    def send(self, message: Message) -> None:
        """Queues a message; returns at once. Arrays are not copied: leave them alone until it is answered.

        Raises:
            LifelikeError: as `encode` does; or why the connection is over.
        """
        parts = encode(message, self.limits)
        if self.error is not None:
            raise copy.copy(self.error)
        self._largest = max(self._largest, sum(len(part) for part in parts))
        self._outgoing.put(parts)
        self._wake_up()

    def close(self) -> None:
        """Ends the connection now; what is not sent yet is dropped. May be called twice."""
        self._closing = True
        self._wake_up()
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _wake_up(self) -> None:
        with self._wake_lock:
            if not self._wake.closed:
                with contextlib.suppress(zmq.Again):  # full: the thread is about to wake anyway
                    self._wake.send(b"", zmq.NOBLOCK)

    # On the link's thread.

    def _run(self) -> None:
        try:
            reason = self._work()
        except Exception:
            # A mistake of this program must not leave anyone waiting.
            _log.exception("The connection to the backend failed")
            reason = LifelikeError(
                ErrorCode.INTERNAL, "The connection to the backend failed unexpectedly.", "Connect again."
            )
        self.error = reason
        self._ended(reason)
        with self._wake_lock:
            self._wake.close(linger=0)
        self._socket.disable_monitor()
        for socket in (self._monitor, self._woken, self._socket):
            socket.close(linger=0)
        self._context.term()

    def _work(self) -> LifelikeError:
        poller = zmq.Poller()
        for socket in (self._socket, self._monitor, self._woken):
            poller.register(socket, zmq.POLLIN)
        last_turn = time.monotonic()
        while True:
            ready = dict(poller.poll(round(HEARTBEAT_INTERVAL * 1000)))
            now = time.monotonic()
            if now - last_turn > HEARTBEAT_INTERVAL + _FROZEN and self._asked_at is not None:
                self._asked_at = now
            last_turn = now
            reason = self._take_turn(ready) or self._beat(now)
            if reason:
                return reason

    def _take_turn(self, ready: dict[zmq.Socket[bytes], int]) -> LifelikeError | None:
        if self._woken in ready:
            while self._woken.poll(0):
                self._woken.recv()
            if self._closing:
                return LifelikeError(ErrorCode.BACKEND_GONE, "This connection was closed.", "Connect again.")
            self._send_waiting()
        lost = self._watch() if self._monitor in ready else None
        # What came before the connection was lost still counts.
        said = self._receive() if self._socket in ready or lost else None
        return said or lost

    def _send_waiting(self) -> None:
        while True:
            try:
                parts = self._outgoing.get_nowait()
            except Empty:
                return
            self._send(parts)

    def _send(self, parts: list[bytes | memoryview]) -> None:
        try:
            self._socket.send_multipart(parts, zmq.NOBLOCK, copy=False)
        except zmq.Again:
            # Nobody is connected any more; the monitor says so in its own words.
            _log.debug("A message was not sent: the connection is lost")

    def _receive(self) -> LifelikeError | None:
        """Delivers everything that is there; an error if it says that the backend ends."""
        while True:
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK, copy=False)
            except zmq.Again:
                return None
            self._last_heard, self._asked_at = time.monotonic(), None
            message = _decode_or_fail(parts, self.limits)
            if isinstance(message, LifelikeError):
                return message
            if not isinstance(message, Pong):
                self._deliver(message)
            if isinstance(message, Goodbye):
                why = f": {message.reason}" if message.reason else ""
                return LifelikeError(ErrorCode.BACKEND_GONE, f"The backend has ended{why}.", "Start it again.")

    def _watch(self) -> LifelikeError | None:
        """What libzmq reports of the TCP connection; an error if it is over."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self._welcomed = True
            elif event == zmq.EVENT_HANDSHAKE_FAILED_AUTH:
                return LifelikeError(
                    ErrorCode.REFUSED,
                    "The backend refused this client's key.",
                    "Use the connection file that the running backend wrote, or start the backend again.",
                )
            elif event == zmq.EVENT_CLOSED:
                return LifelikeError(
                    ErrorCode.NOT_RUNNING,
                    "No backend answers at the address in the connection file.",
                    "Start the backend: press Start in Blender, or run `lifelike serve`.",
                )
            elif event in _LOST:
                return self._disconnected()
        return None

    def _disconnected(self) -> LifelikeError:
        if self._welcomed:
            return LifelikeError(ErrorCode.BACKEND_GONE, "The backend has ended unexpectedly.", _RESTART_REMEDY)
        return LifelikeError(
            ErrorCode.REFUSED,
            "What answers at the address in the connection file is not the backend that wrote it, or is just ending.",
            "Start the backend again, so that it writes a new connection file.",
        )

    def _beat(self, now: float) -> LifelikeError | None:
        """Asks a silent backend whether it is there; an error if it has not answered for too long."""
        if self._last_heard is None:
            return None  # before the first answer the caller's own timeout counts
        if self._asked_at is None:
            if now - self._last_heard >= HEARTBEAT_INTERVAL:
                self._asked_at = now
                self._send(encode(Ping()))
            return None
        if now - self._asked_at < HEARTBEAT_LIMIT + self._largest / SLOWEST_TRANSFER:
            return None
        return LifelikeError(
            ErrorCode.BACKEND_GONE, f"The backend has not answered for {now - self._asked_at:.0f} s.", _RESTART_REMEDY
        )


def _decode_or_fail(parts: list[zmq.Frame], limits: Limits) -> Message | LifelikeError:
    """The message, or why it cannot be read. A client cannot mend it: it ends the connection."""
    try:
        return decode(parts, limits)
    except LifelikeError as error:
        return error
