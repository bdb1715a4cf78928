# SPDX-License-Identifier: GPL-3.0-or-later
"""A small backend for the client to talk to: real sockets, real keys, and the picture comes back as it was sent.

What a job does is chosen by its frame's `source.scene`: "" is answered at once, "wait" goes on until it is
cancelled, "no face" fails, "silent" makes the backend stop answering anything at all.
Run as a program it writes the connection file named by its argument and serves until it is killed.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import zmq

from lifelike_protocol import codec
from lifelike_protocol.connection import generate_keys, server_socket, write_connection_file
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import (
    Cancel,
    Goodbye,
    Hello,
    Message,
    Ping,
    Pong,
    Progress,
    Provenance,
    Result,
    Shutdown,
    Stage,
    Status,
    StatusRequest,
    Submit,
    Welcome,
)


class EchoBackend:
    """Serves on a thread of its own until `close`.

    Attributes:
        path: the connection file. info: what it says.
        heard: every message that came. headers: their raw headers.
    """

    def __init__(self, path: Path, host: str = "127.0.0.1", max_side: int = 16384) -> None:
        self.path = path
        self.heard: list[Message] = []
        self._max_side = max_side
        self._silent = False
        self._ending = threading.Event()
        self._context: zmq.Context[Any] = zmq.Context()
        keys = generate_keys()
        self._listener = server_socket(self._context, keys, host)
        self.info = self._listener.info(keys)
        write_connection_file(path, self.info)
        self._thread = threading.Thread(target=self._serve, name="echo backend")
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()

    def fall_silent(self) -> None:
        self._silent = True

    def _serve(self) -> None:
        while not self._ending.is_set():
            if self._listener.socket.poll(20):
                who, *parts = self._listener.socket.recv_multipart(copy=False)
                if not self._silent:
                    self._handle(who.bytes, parts)
        self._listener.close()
        self._context.term()

    def _handle(self, who: bytes, parts: list[zmq.Frame]) -> None:
        try:
            message = codec.decode(parts)
            self.heard.append(message)
            answers = self._answers(message)
        except LifelikeError as error:
            answers = [codec.as_message(error, codec.job_of(parts))]
        for answer in answers:
            self._listener.socket.send_multipart([who, *codec.encode(answer)], copy=False)

    def _answers(self, message: Message) -> list[Message]:
        if isinstance(message, Hello):
            version = codec.negotiate_version(message.versions)
            return [Welcome(version, "echo", "cpu", os.getpid(), self._max_side)]
        if isinstance(message, Ping):
            return [Pong(message.token)]
        if isinstance(message, StatusRequest):
            return [Status(os.getpid(), "cpu", 1.0, "", 0, (), (), 0, "")]
        if isinstance(message, Cancel):
            raise LifelikeError(ErrorCode.CANCELLED, "The job was cancelled.")
        if isinstance(message, Shutdown):
            return [Goodbye("a client asked for it")]
        if isinstance(message, Submit):
            return self._work(message)
        raise LifelikeError(ErrorCode.UNKNOWN_MESSAGE, f"{type(message).__name__} is not for a backend.")

    def _work(self, submit: Submit) -> list[Message]:
        wish = submit.frame.source.scene
        first = Progress(submit.job, Stage.QUEUED, 0.0, 0)
        if wish == "silent":
            self.fall_silent()
        if wish in ("wait", "silent"):
            return [first]
        if wish == "no face":
            raise LifelikeError(ErrorCode.NO_FACE, "There is no face.", "Point the camera at one.")
        if wish == "bad answer":
            raise LifelikeError(ErrorCode.MALFORMED, "Something was unreadable.")
        provenance = Provenance("echo", "", submit.settings, "cpu", {})
        result = Result(submit.job, submit.frame.pixels, submit.frame.encoding, (), {"total": 0.0}, provenance)
        return [first, Progress(submit.job, Stage.TRANSFER, 0.5), result]


if __name__ == "__main__":
    backend = EchoBackend(Path(sys.argv[1]))
    while True:
        time.sleep(60)
