# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets one CURVE key in and no other: a ZAP handler (ZeroMQ RFC 27) on a thread of its own.

pyzmq's own authenticator runs on asyncio, which on Windows cannot poll ZeroMQ sockets without tornado.
"""

from __future__ import annotations

import contextlib
import threading

import zmq
from zmq.utils import z85

_ENDPOINT = "inproc://zeromq.zap.01"
"""Where libzmq asks, one handler per context."""


class KeyCheck:
    """Answers libzmq's question whether a client may connect. Start it before any server socket binds.

    Args:
        context: the context of the server's socket; it can have one `KeyCheck`.
        allowed: the client's public key, 40 characters of Z85.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], allowed: str) -> None:
        self._allowed = z85.decode(allowed.encode("ascii"))
        self._questions = context.socket(zmq.REP)
        self._questions.linger = 0
        self._questions.bind(_ENDPOINT)
        stop_endpoint = f"inproc://lifelike.key_check.{id(self)}"
        self._stop_seen = context.socket(zmq.PAIR)
        self._stop_seen.bind(stop_endpoint)
        self._stop = context.socket(zmq.PAIR)
        self._stop.linger = 0
        self._stop.connect(stop_endpoint)
        self._thread = threading.Thread(target=self._answer, name="lifelike key check", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread and closes its sockets; from then on nobody new gets in. May be called twice."""
        if not self._stop.closed:
            self._stop.send(b"")
            self._thread.join()
            self._stop.close()

    def _answer(self) -> None:
        poller = zmq.Poller()
        poller.register(self._questions, zmq.POLLIN)
        poller.register(self._stop_seen, zmq.POLLIN)
        with contextlib.suppress(zmq.ZMQError):  # the context ended before `stop`
            while self._stop_seen not in (ready := dict(poller.poll())):
                if self._questions in ready:
                    self._questions.send_multipart(self._reply(self._questions.recv_multipart()))
            # Closing takes effect later; the next handler of this context needs the endpoint now.
            self._questions.unbind(_ENDPOINT)
        self._questions.close()
        self._stop_seen.close(linger=0)

    def _reply(self, question: list[bytes]) -> list[bytes]:
        # version, request, domain, address, routing id, mechanism, credentials…
        request = question[1] if len(question) > 1 else b""
        known = len(question) == 7 and question[5] == b"CURVE" and question[6] == self._allowed
        status = (b"200", b"OK") if known else (b"400", b"unknown key")
        return [b"1.0", request, *status, b"", b""]
