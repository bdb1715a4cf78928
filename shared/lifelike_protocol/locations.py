# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Lifelike keeps its files on this machine. Standard library only: the installer uses it too.

`LIFELIKE_HOME` moves everything under one folder. Nothing is created here unless something is written.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def _set_folder(variable: str) -> Path | None:
    value = os.environ.get(variable, "")
    return Path(value).expanduser() if value else None


def _user_folder(linux_variable: str, linux_default: str, mac: str, windows: str) -> Path:
    home = _set_folder("LIFELIKE_HOME")
    if home:
        return home / windows
    if sys.platform == "win32":
        local = _set_folder("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return local / "lifelike" / windows
    if sys.platform == "darwin":
        return Path.home() / "Library" / mac
    base = _set_folder(linux_variable)
    # The XDG rules say that a relative path is to be ignored.
    if base is None or not base.is_absolute():
        base = Path.home() / linux_default
    return base / "lifelike"


def _state_dir() -> Path:
    return _user_folder("XDG_STATE_HOME", ".local/state", "Application Support/lifelike", "state")


def runtime_dir() -> Path:
    """The folder of the connection file.

    Not XDG_RUNTIME_DIR: a backend started from a timer or another login has none, or a different one,
    and its client would look elsewhere.
    """
    return _state_dir() / "run"


def config_dir() -> Path:
    """The folder of what was installed and chosen."""
    return _user_folder("XDG_CONFIG_HOME", ".config", "Application Support/lifelike", "config")


def cache_dir() -> Path:
    """The folder of what can be had again: fetched files, and what was computed from others."""
    return _user_folder("XDG_CACHE_HOME", ".cache", "Caches/lifelike", "cache")


def log_file() -> Path:
    """The backend's log, unless it was told another."""
    return _user_folder("XDG_STATE_HOME", ".local/state", "Logs/lifelike", "logs") / "backend.log"


def default_connection_file() -> Path:
    """The file a client looks in: `LIFELIKE_CONNECTION_FILE`, or `connection.json` in `runtime_dir()`."""
    return _set_folder("LIFELIKE_CONNECTION_FILE") or runtime_dir() / "connection.json"


def backend_record() -> Path:
    """The file in which the installer notes where the backend is: `{"python": path of its interpreter}`."""
    return config_dir() / "backend.json"


def backend_python() -> Path | None:
    """The interpreter that has the backend: `LIFELIKE_BACKEND_PYTHON`, or the installer's record; None if neither.

    The path is not looked at; it may have been moved or deleted since.
    """
    chosen = _set_folder("LIFELIKE_BACKEND_PYTHON")
    if chosen:
        return chosen
    try:
        noted = json.loads(backend_record().read_text(encoding="utf-8"))["python"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Path(noted) if isinstance(noted, str) and noted else None


def write_backend_record(python: Path) -> Path:
    """Notes the backend's interpreter for the add-on to find. Returns the record's path.

    Raises:
        OSError: the folder cannot be written.
    """
    record = backend_record()
    record.parent.mkdir(parents=True, exist_ok=True)
    temporary = record.with_name(f"{record.name}.{os.getpid()}.new")
    temporary.write_text(json.dumps({"python": str(python)}, indent=2) + "\n", encoding="utf-8")
    temporary.replace(record)
    return record
