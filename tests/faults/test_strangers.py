# SPDX-License-Identifier: GPL-3.0-or-later
"""Who isn't a client of this backend gets nothing, and changes nothing for those who are."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest
from attrs import evolve

from lifelike_protocol.client import Client
from lifelike_protocol.connection import generate_keys
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Result
from running_backend import START_SECONDS, RunningBackend, wait_until_working

# A ZMTP greeting as an honest peer sends it, up to the mechanism.
GREETING = b"\xff" + b"\0" * 8 + b"\x7f" + b"\x03\x01"

GARBAGE = {
    "noise": os.urandom(65536),
    "zeros": b"\0" * 65536,
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "greeting without encryption": GREETING + b"NULL".ljust(20, b"\0") + b"\0" * 32 + b"\x04\x19\x05READY",
    "frame of a claimed exabyte": GREETING + b"CURVE".ljust(20, b"\0") + b"\0" * 32 + b"\x06" + b"\x0f" * 8,
    "nothing": b"",
}


def raw_connection(backend: RunningBackend) -> socket.socket:
    host, port = backend.info.address.removeprefix("tcp://").rsplit(":", 1)
    return socket.create_connection((host, int(port)), timeout=START_SECONDS)


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE.keys())
def test_garbage_on_the_port_changes_nothing(backend: RunningBackend, garbage: bytes) -> None:
    with raw_connection(backend) as stranger:
        stranger.sendall(garbage)
        with backend.connect() as client:
            assert client.status().pid == backend.process.pid


def test_garbage_during_a_picture_changes_nothing(backend: RunningBackend, portrait: Callable[..., Frame]) -> None:
    with backend.connect() as client:
        job = client.submit(portrait(faces=4))
        wait_until_working(client, job)
        strangers = [raw_connection(backend) for _ in range(20)]
        for stranger in strangers:
            stranger.sendall(GARBAGE["noise"])
        assert isinstance(list(client.events(job))[-1], Result)
        for stranger in strangers:
            stranger.close()


@pytest.mark.parametrize("wrong", ["client", "server", "both"])
def test_wrong_keys_are_refused(backend: RunningBackend, wrong: str) -> None:
    keys = generate_keys()
    info = backend.info
    if wrong in ("client", "both"):
        info = evolve(info, client_public_key=keys.client_public, client_secret_key=keys.client_secret)
    if wrong in ("server", "both"):
        info = evolve(info, server_public_key=keys.server_public)
    with pytest.raises(LifelikeError) as refused:
        Client(info, timeout=15)
    assert refused.value.code in (ErrorCode.REFUSED, ErrorCode.TIMEOUT)
    with backend.connect() as client:
        assert client.status().pid == backend.process.pid
