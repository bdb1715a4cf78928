# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as a process: how it starts, what it leaves, who may start it twice."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lifelike_protocol.errors import ErrorCode, LifelikeError
from running_backend import END_SECONDS, RunningBackend, environment, wait_for

Start = Callable[..., RunningBackend]


def test_it_prints_one_line_and_nothing_else(start_backend: Start) -> None:
    backend = start_backend()
    with backend.connect() as client:
        client.shutdown()
    assert backend.wait_until_ended() == 0
    assert backend.process.stdout is not None
    assert backend.process.stdout.read() == ""
    assert backend.last_words() == ""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no file modes")
def test_connection_file_is_for_its_user_alone(start_backend: Start) -> None:
    assert stat.S_IMODE(start_backend().connection_file.stat().st_mode) == 0o600


def test_it_listens_on_loopback_only(start_backend: Start) -> None:
    assert start_backend().info.address.startswith("tcp://127.0.0.1:")


def test_remote_host_is_refused_without_leave(start_backend: Start) -> None:
    backend = start_backend("--host", "0.0.0.0", ready=False)
    assert "--allow-remote" in backend.refusal()
    assert not backend.connection_file.exists()


def test_remote_host_with_leave_is_reached_through_loopback_here(start_backend: Start) -> None:
    backend = start_backend("--host", "0.0.0.0", "--allow-remote")
    with backend.connect() as client:
        assert client.status().pid == backend.process.pid


@pytest.mark.skipif(os.name != "posix", reason="Windows can't send these to one process")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(start_backend: Start, number: signal.Signals) -> None:
    backend = start_backend()
    with backend.connect() as client:
        backend.process.send_signal(number)
        assert backend.wait_until_ended() == 0
        wait_for(lambda: client.error is not None, "the client was not told")
        assert client.error is not None
        assert client.error.code is ErrorCode.BACKEND_GONE
        assert number.name in client.error.what, "it ended without saying goodbye"
    assert not backend.connection_file.exists()
    assert list(backend.home.glob("connection*")) == []


def test_second_backend_on_the_same_file_is_refused(start_backend: Start) -> None:
    first = start_backend()
    info = first.info
    assert "already running" in start_backend(home=first.home, ready=False).refusal()
    assert first.info == info
    with first.connect() as client:
        assert client.status().pid == first.process.pid


def test_stale_connection_file_is_replaced(start_backend: Start) -> None:
    first = start_backend()
    first.process.kill()
    first.wait_until_ended()
    assert first.connection_file.exists()
    with pytest.raises(LifelikeError) as gone:
        first.connect()
    assert gone.value.code is ErrorCode.NOT_RUNNING
    second = start_backend(home=first.home)
    with second.connect() as client:
        assert client.status().pid == second.process.pid


def test_foreign_connection_file_is_not_removed_at_the_end(start_backend: Start) -> None:
    backend = start_backend()
    with backend.connect() as client:
        backend.connection_file.write_text("someone else's", encoding="utf-8")
        client.shutdown()
    assert backend.wait_until_ended() == 0
    assert backend.connection_file.read_text(encoding="utf-8") == "someone else's"


def test_occupied_port_is_told_in_one_line(start_backend: Start) -> None:
    port = start_backend().info.address.rsplit(":", 1)[1]
    said = start_backend("--port", port, ready=False).refusal()
    assert port in said
    assert len(said.splitlines()) == 1


def test_parent_that_does_not_run_is_refused(start_backend: Start) -> None:
    gone = start_backend()
    gone.process.kill()
    gone.wait_until_ended()
    assert "isn't running" in start_backend("--parent-pid", str(gone.process.pid), ready=False).refusal()


def test_unwritable_log_is_told_in_one_line(start_backend: Start) -> None:
    home = start_backend().home
    log_file = home / "connection.json" / "backend.log"
    said = start_backend("--log-file", str(log_file), ready=False).refusal()
    assert "log file" in said
    assert len(said.splitlines()) == 1


def test_log_is_rotated(tmp_path: Path) -> None:
    script = (
        "import logging, pathlib, lifelike.logging_setup as setup\n"
        "setup.LOG_BYTES = 1000\n"
        "setup.open_log(pathlib.Path('backend.log'))\n"
        "for number in range(200): logging.info('line %d', number)\n"
    )
    command = [sys.executable, "-c", script]
    subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), check=True, timeout=END_SECONDS)
    logs = sorted(tmp_path.glob("backend.log*"))
    assert len(logs) == 4
    assert all(log.stat().st_size <= 1000 for log in logs)
    assert "line 199" in (tmp_path / "backend.log").read_text(encoding="utf-8")
