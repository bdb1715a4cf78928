# SPDX-License-Identifier: GPL-3.0-or-later
"""Room on a disk, looked at before it is needed."""

from __future__ import annotations

import shutil
from pathlib import Path

from lifelike_protocol.errors import ErrorCode, LifelikeError

SPARE = 64 << 20
"""Bytes that stay free: a disk filled to the last one stops other programs."""


def check_space(folder: Path, needed: int) -> None:
    """Refuse what would not fit.

    Args:
        folder: or the nearest one above it that exists.
        needed: bytes.

    Raises:
        LifelikeError: INVALID_FILE, saying how much is free.
    """
    there = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    free = shutil.disk_usage(there).free
    if needed + SPARE > free:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{folder} has {in_words(free)} free, of {in_words(needed + SPARE)} needed; nothing was written.",
            "Free some space, or choose a folder on another disk.",
        )


def in_words(size: int) -> str:
    """Bytes as people say them, in powers of 1000 as file hosts do."""
    value, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] in ("bytes", "kB", "MB") else f"{value:.1f} {units[0]}"
