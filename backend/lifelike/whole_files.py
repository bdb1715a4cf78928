# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from stat import S_IMODE


@contextmanager
def written_whole(file: Path, suffix: str = ".partial") -> Iterator[Path]:
    """An empty file beside `file` to write to: it takes the file's place when all went well, and vanishes otherwise.

    Neither a kill nor a full disk touches what was there before, and what takes its place is on the disk. It has the
    permissions of the file it replaces, or those of any new file.

    Args:
        file: in a folder that may have to be made; a link is replaced, not what it points to.
        suffix: of the name to write to, for writers that choose the format by it.

    Raises:
        OSError: what the writing raised, or the replacing.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}{suffix}")
    try:
        unfinished.touch(exist_ok=False)
        # Some writers replace the file they are given by a private one.
        mode = S_IMODE((file if file.exists() else unfinished).stat().st_mode)
        yield unfinished
        unfinished.chmod(mode)
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        unfinished.replace(file)
    finally:
        with suppress(OSError):  # the first error says more
            unfinished.unlink(missing_ok=True)


def write_whole(file: Path, content: bytes) -> None:
    """Write bytes as `written_whole`."""
    with written_whole(file) as unfinished:
        unfinished.write_bytes(content)
