# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever happens to the backend, no call waits for ever and each says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import attrs
import echo_backend
import numpy as np
import pytest
import zmq
from echo_backend import EchoBackend

from lifelike_protocol import codec, link
from lifelike_protocol.client import Client
from lifelike_protocol.connection import (
    ConnectionInfo,
    generate_keys,
    read_connection_file,
    server_socket,
    write_connection_file,
)
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Source

GONE_SECONDS = 10.0


def waiting_picture(wish: str = "wait") -> Frame:
    return Frame(np.zeros((8, 8, 3), np.uint8), source=Source(scene=wish))


def refusal(info: ConnectionInfo, timeout: float = 30.0) -> ErrorCode:
    with pytest.raises(LifelikeError) as caught:
        Client(info, timeout=timeout)
    assert caught.value.remedy
    return caught.value.code


@pytest.fixture
def process(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    path = tmp_path / "connection.json"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, echo_backend.__file__, str(path)], env=environment)
    deadline = time.monotonic() + 60
    while not path.exists():
        assert process.poll() is None, "the backend ended at once"
        assert time.monotonic() < deadline, "the backend did not start"
        time.sleep(0.05)
    yield process, path
    process.kill()
    process.wait()


def test_killed_backend_fails_the_job_within_ten_seconds(process: tuple[subprocess.Popen[bytes], Path]) -> None:
    victim, path = process
    with Client.connect(path, timeout=30) as client:
        job = client.submit(waiting_picture())
        events = client.events(job, timeout=60)
        next(events)
        victim.kill()
        start = time.monotonic()
        with pytest.raises(LifelikeError) as caught:
            next(events)
        assert caught.value.code is ErrorCode.BACKEND_GONE
        assert time.monotonic() - start < GONE_SECONDS
        with pytest.raises(LifelikeError) as caught:
            client.submit(waiting_picture())
        assert caught.value.code is ErrorCode.BACKEND_GONE
        assert client.error is not None
    victim.wait()
    with pytest.raises(LifelikeError) as caught:
        Client.connect(path, timeout=30)
    assert caught.value.code is ErrorCode.NOT_RUNNING


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot stop a process")
def test_stopped_backend_fails_the_job_within_ten_seconds(process: tuple[subprocess.Popen[bytes], Path]) -> None:
    victim, path = process
    with Client.connect(path, timeout=30) as client:
        job = client.submit(waiting_picture())
        events = client.events(job, timeout=60)
        next(events)
        victim.send_signal(signal.SIGSTOP)
        start = time.monotonic()
        with pytest.raises(LifelikeError) as caught:
            next(events)
        assert caught.value.code is ErrorCode.BACKEND_GONE
        # The limit itself, and as much again for a machine that is busy with other things.
        assert time.monotonic() - start < 2 * GONE_SECONDS
    assert link.HEARTBEAT_INTERVAL + link.HEARTBEAT_LIMIT < GONE_SECONDS


def test_backend_whose_control_path_hangs_counts_as_gone(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HEARTBEAT_LIMIT", 1.0)
    with pytest.raises(LifelikeError) as caught:
        client.enhance(waiting_picture("silent"), timeout=60)
    assert caught.value.code is ErrorCode.BACKEND_GONE
    assert "not answered" in caught.value.what


def test_large_transfer_extends_the_patience(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HEARTBEAT_LIMIT", 0.1)
    monkeypatch.setattr(link, "SLOWEST_TRANSFER", 1.0)  # a byte a second: a picture may take minutes
    with pytest.raises(LifelikeError) as caught:
        client.enhance(waiting_picture("silent"), timeout=4)
    assert caught.value.code is ErrorCode.TIMEOUT
    assert client.error is None


def test_client_that_stood_still_does_not_blame_the_backend(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job = client.submit(waiting_picture("silent"))
    next(client.events(job, timeout=60))
    time.sleep(2 * link.HEARTBEAT_INTERVAL)  # by now it has asked
    frozen = 100 * link.HEARTBEAT_LIMIT
    monkeypatch.setattr(link, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + frozen))
    time.sleep(3 * link.HEARTBEAT_INTERVAL)
    assert client.error is None


def test_no_connection_file(tmp_path: Path) -> None:
    with pytest.raises(LifelikeError) as caught:
        Client.connect(tmp_path / "none.json")
    assert caught.value.code is ErrorCode.NOT_RUNNING


def test_connection_file_comes_from_the_environment(backend: EchoBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_CONNECTION_FILE", str(backend.path))
    with Client.connect(timeout=30) as client:
        assert client.info == backend.info


def test_nobody_at_the_address(backend: EchoBackend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert refusal(attrs.evolve(backend.info, address=f"tcp://127.0.0.1:{port}")) is ErrorCode.NOT_RUNNING


def test_address_that_is_none(backend: EchoBackend) -> None:
    assert refusal(attrs.evolve(backend.info, address="pigeon://127.0.0.1:1")) is ErrorCode.MALFORMED


def test_wrong_client_key_is_refused(backend: EchoBackend) -> None:
    stranger = generate_keys()
    info = attrs.evolve(
        backend.info, client_public_key=stranger.client_public, client_secret_key=stranger.client_secret
    )
    assert refusal(info) is ErrorCode.REFUSED
    assert not backend.heard


def test_client_key_without_its_secret_is_refused(backend: EchoBackend) -> None:
    info = attrs.evolve(backend.info, client_secret_key=generate_keys().client_secret)
    assert refusal(info) is ErrorCode.REFUSED
    assert not backend.heard


def test_wrong_backend_is_noticed(backend: EchoBackend) -> None:
    assert refusal(attrs.evolve(backend.info, server_public_key=generate_keys().server_public)) is ErrorCode.REFUSED
    assert not backend.heard


def test_keys_that_are_none(backend: EchoBackend) -> None:
    assert refusal(attrs.evolve(backend.info, client_secret_key="x")) is ErrorCode.MALFORMED


def test_another_program_at_the_address(backend: EchoBackend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as web:

        def answer() -> None:
            connection, _ = web.accept()
            with connection:
                connection.recv(64)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 8)

        threading.Thread(target=answer, daemon=True).start()
        info = attrs.evolve(backend.info, address=f"tcp://127.0.0.1:{web.getsockname()[1]}")
        assert refusal(info) is ErrorCode.REFUSED


def test_address_that_never_says_a_word(backend: EchoBackend) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        info = attrs.evolve(backend.info, address=f"tcp://127.0.0.1:{mute.getsockname()[1]}")
        assert refusal(info, timeout=0.5) is ErrorCode.TIMEOUT


def test_garbage_on_the_port_disturbs_nobody(backend: EchoBackend, client: Client) -> None:
    port = int(backend.info.address.rsplit(":", 1)[1])
    for garbage in (b"GET / HTTP/1.0\r\n\r\n", os.urandom(4096), b"", b"\xff" + b"\0" * 8 + b"\x7f" + b"\xff" * 64):
        with socket.create_connection(("127.0.0.1", port)) as stranger:
            stranger.sendall(garbage)
    assert client.enhance(Frame(np.zeros((8, 8, 3), np.uint8)), timeout=60)


def test_backend_of_another_version(backend: EchoBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(offered: object) -> int:
        raise LifelikeError(ErrorCode.VERSION_MISMATCH, "The backend speaks version 7.", "Update the extension.")

    monkeypatch.setattr(codec, "negotiate_version", refuse)
    with pytest.raises(LifelikeError) as caught:
        Client.connect(backend.path, timeout=30)
    assert caught.value.code is ErrorCode.VERSION_MISMATCH
    assert caught.value.remedy == "Update the extension."


def test_unreadable_answer_ends_the_connection_with_the_reason(tmp_path: Path) -> None:
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    keys = generate_keys()
    listener = server_socket(context, keys)
    write_connection_file(tmp_path / "c.json", listener.info(keys))

    def answer_nonsense() -> None:
        who, *_ = listener.socket.recv_multipart()
        listener.socket.send_multipart([who, b"\xc1 nonsense"])

    thread = threading.Thread(target=answer_nonsense)
    thread.start()
    with pytest.raises(LifelikeError) as caught:
        Client.connect(tmp_path / "c.json", timeout=30)
    thread.join()
    listener.close()
    context.term()
    assert caught.value.code is ErrorCode.MALFORMED


class Eavesdropper:
    """A TCP relay in front of a backend that keeps every byte of both directions."""

    def __init__(self, address: str) -> None:
        self.bytes = bytearray()
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self._backend = (host, int(port))
        self._door = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self._door.getsockname()[1]}"
        threading.Thread(target=self._relay, daemon=True).start()

    def _relay(self) -> None:
        near, _ = self._door.accept()
        far = socket.create_connection(self._backend)
        threading.Thread(target=self._pump, args=(near, far), daemon=True).start()
        self._pump(far, near)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            self.bytes += data
            with suppress(OSError):
                sink.sendall(self._passed_on(data))
        with suppress(OSError):
            sink.shutdown(socket.SHUT_RDWR)

    def _passed_on(self, data: bytes) -> bytes:
        return data

    def close(self) -> None:
        self._door.close()


def test_eavesdropper_sees_nothing(backend: EchoBackend) -> None:
    spy = Eavesdropper(backend.info.address)
    pixels = np.frombuffer(b"a very private portrait" * 1024, np.uint8).reshape(23, 256, 4)
    with Client(attrs.evolve(backend.info, address=spy.address), timeout=30, name="secret name") as client:
        result = client.enhance(Frame(pixels, source=Source(camera="secret camera")), timeout=60)
    spy.close()
    np.testing.assert_array_equal(result.pixels, pixels)
    assert len(spy.bytes) > 2 * pixels.nbytes  # it did see it all go by, both ways
    assert b"CURVE" in spy.bytes
    for plain in (b"private", b"portrait", b"secret", b"lifelike", b"submit", b"pixels"):
        assert plain not in spy.bytes
    file = json.loads(backend.path.read_text())
    assert file["client_secret_key"].encode() not in spy.bytes


def test_relay_that_changes_a_byte_ends_the_connection(backend: EchoBackend) -> None:
    class Meddler(Eavesdropper):
        def _passed_on(self, data: bytes) -> bytes:
            return data[:-1] + bytes([data[-1] ^ 1]) if len(self.bytes) > 10_000 else data

    spy = Meddler(backend.info.address)
    noise = np.random.default_rng(0).integers(0, 255, (256, 256, 3), np.uint8)
    info = attrs.evolve(backend.info, address=spy.address)
    with Client(info, timeout=30) as client, pytest.raises(LifelikeError) as caught:
        client.enhance(Frame(noise), timeout=60)
    spy.close()
    assert caught.value.code is ErrorCode.BACKEND_GONE


def test_what_the_file_says_is_what_the_backend_wrote(backend: EchoBackend) -> None:
    assert read_connection_file(backend.path) == backend.info
