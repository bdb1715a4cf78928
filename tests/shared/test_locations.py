# SPDX-License-Identifier: GPL-3.0-or-later
"""Where files are looked for, on every system and with every variable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lifelike_protocol import locations

VARIABLES = (
    "LIFELIKE_HOME", "LIFELIKE_CONNECTION_FILE", "LIFELIKE_BACKEND_PYTHON", "XDG_STATE_HOME", "XDG_CONFIG_HOME",
    "XDG_CACHE_HOME", "LOCALAPPDATA",
)  # fmt: skip


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(sys, "platform", "linux")


def test_linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert locations.default_connection_file() == tmp_path / ".local/state/lifelike/run/connection.json"
    assert locations.log_file() == tmp_path / ".local/state/lifelike/backend.log"
    assert locations.backend_record() == tmp_path / ".config/lifelike/backend.json"
    assert locations.cache_dir() == tmp_path / ".cache/lifelike"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert locations.runtime_dir() == tmp_path / "state/lifelike/run"
    assert locations.config_dir() == tmp_path / ".config/lifelike"


def test_linux_without_a_login_session_looks_in_the_same_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1")
    with_session = locations.default_connection_file()
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert locations.default_connection_file() == with_session


def test_mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert locations.runtime_dir() == tmp_path / "Library/Application Support/lifelike/run"
    assert locations.config_dir() == tmp_path / "Library/Application Support/lifelike"
    assert locations.log_file() == tmp_path / "Library/Logs/lifelike/backend.log"
    assert locations.cache_dir() == tmp_path / "Library/Caches/lifelike"


def test_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert locations.config_dir() == tmp_path / "AppData/Local/lifelike/config"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert locations.runtime_dir() == tmp_path / "local/lifelike/state/run"
    assert locations.log_file() == tmp_path / "local/lifelike/logs/backend.log"
    assert locations.cache_dir() == tmp_path / "local/lifelike/cache"


@pytest.mark.parametrize("system", ["linux", "darwin", "win32"])
def test_one_folder_for_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "demo"))
    places = {
        locations.runtime_dir(), locations.config_dir(), locations.log_file(), locations.backend_record(),
        locations.default_connection_file(), locations.cache_dir(),
    }  # fmt: skip
    assert len(places) == 6
    assert all((tmp_path / "demo") in place.parents for place in places)


def test_connection_file_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "demo"))
    monkeypatch.setenv("LIFELIKE_CONNECTION_FILE", str(tmp_path / "mine.json"))
    assert locations.default_connection_file() == tmp_path / "mine.json"


def test_backend_record_round_trip(tmp_path: Path) -> None:
    assert locations.backend_python() is None
    record = locations.write_backend_record(tmp_path / "bin" / "python")
    assert json.loads(record.read_text()) == {"python": str(tmp_path / "bin" / "python")}
    assert locations.backend_python() == tmp_path / "bin" / "python"
    locations.write_backend_record(tmp_path / "other")
    assert locations.backend_python() == tmp_path / "other"
    assert list(record.parent.iterdir()) == [record]


def test_backend_python_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locations.write_backend_record(tmp_path / "recorded")
    monkeypatch.setenv("LIFELIKE_BACKEND_PYTHON", str(tmp_path / "chosen"))
    assert locations.backend_python() == tmp_path / "chosen"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"python": 5}', '{"python": ""}'])
def test_broken_record_counts_as_none(content: str) -> None:
    record = locations.backend_record()
    record.parent.mkdir(parents=True)
    record.write_text(content)
    assert locations.backend_python() is None


def test_looking_creates_nothing(tmp_path: Path) -> None:
    locations.default_connection_file(), locations.log_file(), locations.backend_python()
    assert list(tmp_path.iterdir()) == []


def test_installer_can_use_it_without_any_package() -> None:
    code = "import sys; from lifelike_protocol import locations; print('numpy' in sys.modules, 'zmq' in sys.modules)"
    shared = Path(locations.__file__).parents[1]
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(shared)!r}); {code}"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["False", "False"]
