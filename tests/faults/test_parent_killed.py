# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend started for another process ends with it, however that one ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lifelike_protocol.client import Client
from lifelike_protocol.messages import Frame
from running_backend import REPOSITORY, START_SECONDS, environment, gone_within, wait_until_working

GONE_SECONDS = 10.0

# Starts a backend that is to end with it, passes its "ready" line on, and then does nothing for ever.
PARENT = """
import os, subprocess, sys, threading
command = [sys.executable, "-m", "lifelike", "serve", "--device", "cpu", "--parent-pid", str(os.getpid())]
backend = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
print(backend.pid, backend.stdout.readline(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A small process with a backend of its own."""
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        env=environment(tmp_path),
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    yield process
    process.kill()
    process.wait(START_SECONDS)


def backend_of(parent: subprocess.Popen[str]) -> int:
    """The pid of the parent's backend, once clients can connect."""
    assert parent.stdout is not None
    pid, ready, *_ = parent.stdout.readline().split()
    assert ready == "ready"
    return int(pid)


def test_killed_parent_takes_its_backend_along(parent: subprocess.Popen[str], tmp_path: Path) -> None:
    backend = backend_of(parent)
    parent.kill()
    parent.wait(START_SECONDS)
    assert gone_within(backend, GONE_SECONDS)
    assert list(tmp_path.rglob("connection.json*")) == []


def test_parent_that_ends_by_itself_takes_its_backend_along(parent: subprocess.Popen[str]) -> None:
    backend = backend_of(parent)
    assert parent.stdin is not None
    parent.stdin.close()
    assert parent.wait(START_SECONDS) == 0
    assert gone_within(backend, GONE_SECONDS)


def test_parent_killed_during_a_picture_takes_its_backend_along(
    parent: subprocess.Popen[str], tmp_path: Path, portrait: Callable[..., Frame]
) -> None:
    backend = backend_of(parent)
    (connection_file,) = tmp_path.rglob("connection.json")
    with Client.connect(connection_file, timeout=START_SECONDS) as client:
        wait_until_working(client, client.submit(portrait(faces=64)))
        parent.kill()
        parent.wait(START_SECONDS)
        assert gone_within(backend, GONE_SECONDS)
