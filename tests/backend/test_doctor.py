# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike doctor` tells what is there, what is missing and what to do; its exit status tells too."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lifelike import doctor
from lifelike.doctor import State
from running_backend import START_SECONDS, RunningBackend, environment


def examined(home: Path, **changes: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit status and every check by name, with `changes` to the environment."""
    done = subprocess.run(
        [sys.executable, "-m", "lifelike", "doctor", "--json"],
        env={**environment(home), **changes},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


def test_exit_status_agrees_with_the_table(tmp_path: Path) -> None:
    status, checks = examined(tmp_path)
    missing = [check for check in checks.values() if check["state"] == "missing"]
    assert status == (1 if missing else 0)
    assert all(check["remedy"] for check in missing)
    for name in ("Python", "torch", "built-in bundle", "log", "connection file", "disk", "backend"):
        assert checks[name]["state"] == "ok", checks[name]


def test_folder_that_cannot_be_written_is_missing_and_fails(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("a file where a folder should be")
    status, checks = examined(home)
    assert status == 1
    assert checks["log"]["state"] == "missing"
    assert str(home) in checks["log"]["remedy"]


def test_running_backend_is_found(backend: RunningBackend) -> None:
    _, checks = examined(backend.home, LIFELIKE_CONNECTION_FILE=str(backend.connection_file))
    assert checks["backend"]["state"] == "ok"
    assert str(backend.process.pid) in checks["backend"]["found"]


def test_connection_file_of_a_dead_backend_counts_as_not_running(start_backend, tmp_path: Path) -> None:
    backend = start_backend()
    backend.process.kill()
    backend.wait_until_ended()
    _, checks = examined(tmp_path, LIFELIKE_CONNECTION_FILE=str(backend.connection_file))
    assert "not running" in checks["backend"]["found"]


@pytest.mark.skipif(os.name != "posix", reason="needs a script that can be run")
@pytest.mark.parametrize(
    ("version", "state"), [("4.2.0", State.OK), ("5.0.1", State.OK), ("4.1.9", State.OPTIONAL), ("", State.OPTIONAL)]
)
def test_blender_must_be_new_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, state: State
) -> None:
    script = tmp_path / "blender"
    script.write_text(f"#!/bin/sh\necho 'Blender {version}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("LIFELIKE_BLENDER", str(script))
    assert doctor.blender().state is state


def test_missing_compiler_is_optional_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LIFELIKE_HOME": str(tmp_path), "PATH": "", "CXX": "", "LIFELIKE_COMPILE": "1"}.items():
        monkeypatch.setenv(name, value)
    check = doctor.compiled_kernels()
    assert check.state is State.OPTIONAL
    assert "g++" in check.remedy


def test_missing_blender_is_optional(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_BLENDER", str(tmp_path / "none"))
    check = doctor.blender()
    assert check.state is State.OPTIONAL
    assert "4.2" in check.remedy


def test_failing_check_is_a_row_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> doctor.Check:
        raise OSError("no such device")

    monkeypatch.setattr(doctor, "free_space", broken)
    rows = [check for check in doctor.examine() if "no such device" in check.found]
    assert [row.state for row in rows] == [State.MISSING]
