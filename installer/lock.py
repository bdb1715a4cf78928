# SPDX-License-Identifier: GPL-3.0-or-later
"""One installation into a folder at a time, even when the one before was killed and its pip still runs.

The lock is inherited by the programs that `running.run` starts, and ends with the last of them. Windows, whose
programs do not inherit it, goes without.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .refusal import Refusal

_WAIT_SECONDS = 900.0
_held: set[int] = set()


def inherited() -> tuple[int, ...]:
    """The open locks, for programs started meanwhile."""
    return tuple(_held)


@contextmanager
def locked(folder: Path, wait: float = _WAIT_SECONDS) -> Iterator[None]:
    """Holds the lock of a folder, which need not exist.

    Raises:
        Refusal: somebody else still has it after `wait` seconds.
    """
    if os.name == "nt":
        yield
        return
    import fcntl

    name = hashlib.sha256(str(folder.absolute()).encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"lifelike-{os.getuid()}-{name}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise Refusal(f"Another installation is still writing to {folder}: wait for it, or end it.") from None
            time.sleep(0.2)
    _held.add(descriptor)
    try:
        yield
    finally:
        _held.discard(descriptor)
        os.close(descriptor)
