# SPDX-License-Identifier: GPL-3.0-or-later
"""The connection file, and where a backend listens."""

from __future__ import annotations

import json
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import zmq

from lifelike_protocol import connection
from lifelike_protocol.client import Client
from lifelike_protocol.connection import (
    ConnectionInfo,
    generate_keys,
    read_connection_file,
    server_socket,
    write_connection_file,
)
from lifelike_protocol.errors import ErrorCode, LifelikeError

KEYS = generate_keys()
INFO = ConnectionInfo("tcp://127.0.0.1:5555", 42, 1, KEYS.server_public, KEYS.client_public, KEYS.client_secret)

posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no file modes")


@pytest.fixture
def context() -> Iterator[zmq.Context[Any]]:
    context: zmq.Context[Any] = zmq.Context()
    yield context
    context.destroy(linger=0)


def failure(path: Path) -> ErrorCode:
    with pytest.raises(LifelikeError) as caught:
        read_connection_file(path)
    assert caught.value.remedy
    return caught.value.code


def test_file_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "connection.json"
    write_connection_file(path, INFO)
    assert read_connection_file(path) == INFO
    assert [entry.name for entry in path.parent.iterdir()] == ["connection.json"]


@posix_only
def test_only_the_user_can_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "connection.json"
    path.parent.mkdir()
    path.write_text("left by somebody")
    path.chmod(0o666)
    old = os.umask(0)
    try:
        write_connection_file(path, INFO)
        write_connection_file(tmp_path / "made" / "connection.json", INFO)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "made").stat().st_mode) == 0o700


@posix_only
def test_file_is_private_from_its_first_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda number: modes.append(stat.S_IMODE(os.fstat(number).st_mode)))
    old = os.umask(0)
    try:
        write_connection_file(tmp_path / "connection.json", INFO)
    finally:
        os.umask(old)
    assert modes == [0o600]


def test_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "connection.json"
    write_connection_file(path, INFO)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(LifelikeError) as caught:
        write_connection_file(path, attrs.evolve(INFO, pid=43))
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert "No space left" in caught.value.what
    assert read_connection_file(path) == INFO
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(LifelikeError) as caught:
        write_connection_file(tmp_path / "folder" / "connection.json", INFO)
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert failure(tmp_path / "folder" / "connection.json") is ErrorCode.NOT_RUNNING


def test_no_file_means_not_running(tmp_path: Path) -> None:
    assert failure(tmp_path / "connection.json") is ErrorCode.NOT_RUNNING


def test_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    assert failure(tmp_path) is ErrorCode.INVALID_FILE


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b"{}"])
def test_file_that_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "connection.json"
    path.write_bytes(content)
    assert failure(path) is ErrorCode.MALFORMED


@pytest.mark.parametrize(
    "change",
    [{"address": "http://127.0.0.1:80"}, {"address": "tcp://127.0.0.1"}, {"address": "tcp://127.0.0.1:70000"},
     {"address": None}, {"address": "tcp://127.0.0.1:0"}, {"pid": "42"}, {"pid": True}, {"protocol_version": None},
     {"client_secret_key": "short"}, {"server_public_key": 5}, {"client_public_key": "é" * 40}],
)  # fmt: skip
def test_file_with_a_wrong_value(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "connection.json"
    path.write_text(json.dumps({**attrs.asdict(INFO), **change}))
    assert failure(path) is ErrorCode.MALFORMED


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(ConnectionInfo)])
def test_file_with_a_value_missing(tmp_path: Path, name: str) -> None:
    path = tmp_path / "connection.json"
    path.write_text(json.dumps({key: value for key, value in attrs.asdict(INFO).items() if key != name}))
    assert failure(path) is ErrorCode.MALFORMED


def test_newer_file_with_more_in_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "connection.json"
    path.write_text(json.dumps({**attrs.asdict(INFO), "colour": "green"}))
    assert read_connection_file(path) == INFO


def test_secrets_stay_out_of_logs() -> None:
    for shown in (repr(KEYS), repr(INFO), str(INFO)):
        assert KEYS.server_secret not in shown
        assert KEYS.client_secret not in shown


def test_every_start_has_its_own_keys() -> None:
    other = generate_keys()
    assert not {*attrs.astuple(KEYS)} & {*attrs.astuple(other)}
    assert all(len(key) == 40 for key in attrs.astuple(other))


@pytest.mark.parametrize(
    ("host", "reached_at"),
    [
        ("127.0.0.1", "tcp://127.0.0.1:"),
        ("localhost", "tcp://"),
        ("0.0.0.0", "tcp://127.0.0.1:"),
        ("::1", "tcp://[::1]:"),
    ],
)
def test_backend_listens_where_it_is_told(context: zmq.Context[Any], host: str, reached_at: str) -> None:
    if host == "::1" and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    listener = server_socket(context, KEYS, host)
    info = listener.info(KEYS)
    assert info.address.startswith(reached_at)
    assert info.pid == os.getpid()
    heard: list[bytes] = []

    def listen() -> None:
        if listener.socket.poll(30_000):
            heard.append(listener.socket.recv_multipart()[1])

    thread = threading.Thread(target=listen)
    thread.start()
    with pytest.raises(LifelikeError):
        Client(info, timeout=1.0)
    thread.join()
    listener.close()
    assert b"hello" in heard[0]


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_port_in_use_is_said(context: zmq.Context[Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LifelikeError) as caught:
        server_socket(context, KEYS, port=taken.getsockname()[1])
    assert caught.value.code is ErrorCode.INVALID_SETTING
    assert "in use" in caught.value.what
    # Nothing is left behind: the same context can listen elsewhere.
    server_socket(context, KEYS).close()


@pytest.mark.parametrize(
    ("host", "port"), [("no.such.host.invalid", 0), ("x" * 100, 0), ("127.0.0.1", 70_000), ("", -1), ("8.8.8.8", 0)]
)
def test_address_nobody_can_listen_on(context: zmq.Context[Any], host: str, port: int) -> None:
    with pytest.raises(LifelikeError) as caught:
        server_socket(context, KEYS, host, port)
    assert caught.value.code is ErrorCode.INVALID_SETTING


def test_close_twice_and_listen_again(context: zmq.Context[Any]) -> None:
    for _ in range(3):
        listener = server_socket(context, generate_keys())
        listener.close()
        listener.close()


def test_loopback_is_the_default(context: zmq.Context[Any]) -> None:
    listener = server_socket(context, KEYS)
    assert listener.address.startswith("tcp://127.0.0.1:")
    listener.close()


def test_stranger_who_says_nothing_is_dropped(context: zmq.Context[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_SECONDS", 0.3)
    listener = server_socket(context, KEYS)
    port = int(listener.address.rsplit(":", 1)[1])
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.settimeout(30)
        while stranger.recv(4096):  # the greeting; then nothing, because the connection is closed
            pass
    listener.close()


def test_plain_zeromq_gets_nowhere(context: zmq.Context[Any]) -> None:
    listener = server_socket(context, KEYS)
    plain = context.socket(zmq.DEALER)
    plain.linger = 0
    plain.connect(listener.address)
    plain.send(b"hello")
    assert not listener.socket.poll(500)
    plain.close()
    listener.close()
