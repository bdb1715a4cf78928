# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a file is the published one."""

from __future__ import annotations

from pathlib import Path

from lifelike.bundles.public.entry import PublicFile
from lifelike.hashing import file_sha256


def difference(path: Path, file: PublicFile) -> str:
    """How the file at `path` differs from the published one, as the end of a sentence; "" when nothing known does."""
    size = path.stat().st_size
    if file.size and size != file.size:
        return f"it has {size:,} bytes instead of {file.size:,}"
    if not file.sha256:
        return ""
    found = file_sha256(path)
    return "" if found == file.sha256 else f"its SHA-256 is {found} instead of {file.sha256}"
