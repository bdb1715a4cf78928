# SPDX-License-Identifier: GPL-3.0-or-later
"""A real small backend for every test that wants one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from echo_backend import EchoBackend

from lifelike_protocol.client import Client


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[EchoBackend]:
    backend = EchoBackend(tmp_path / "connection.json")
    yield backend
    backend.close()


@pytest.fixture
def client(backend: EchoBackend) -> Iterator[Client]:
    with Client.connect(backend.path, timeout=30.0, name="test") as client:
        yield client
