# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes of bundles, remembered over starts: one of public weights takes seconds to hash, and lists are often wanted.

A file counts as the same while its size, its time of modification and its place on the disk are. What is on the wire
after a result is always the hash of what was read (`bundle.read_bundle`).
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path

from lifelike.bundles.file import bundle_sha256, weights_file
from lifelike.whole_files import write_whole
from lifelike_protocol.locations import cache_dir

SETTLED = 2_000_000_000
"""Nanoseconds since its last change after which a file is remembered: file systems round that time."""


def remembered_file() -> Path:
    """Where the hashes are kept; it may be deleted at any time."""
    return cache_dir() / "bundle_hashes.json"


def digest(path: Path) -> str:
    """SHA-256 of the weights of the bundle at `path`, as hexadecimal; read only when the file has changed.

    Raises:
        OSError: the file cannot be read.
    """
    file = weights_file(path).resolve()
    state = file.stat()
    key, now = str(file), [state.st_size, state.st_mtime_ns, state.st_ino]
    remembered = _remembered()
    entry = remembered.get(key)
    if isinstance(entry, list) and entry[:3] == now and isinstance(entry[-1], str):
        return entry[-1]
    sha256 = bundle_sha256(path)
    if time.time_ns() - state.st_mtime_ns > SETTLED:
        _remember({**remembered, key: [*now, sha256]})
    return sha256


def _remembered() -> dict[str, object]:
    try:
        found = json.loads(remembered_file().read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _remember(entries: dict[str, object]) -> None:
    """Write them, or not: whoever could not reads the bundle once more."""
    text = json.dumps({key: entry for key, entry in entries.items() if Path(key).exists()})
    with suppress(OSError):
        write_whole(remembered_file(), text.encode())
