# SPDX-License-Identifier: GPL-3.0-or-later
"""One backend to a connection file: an operating system lock beside it is held for as long as the backend lives."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from lifelike_protocol.connection import ConnectionInfo, read_connection_file, write_connection_file
from lifelike_protocol.errors import ErrorCode, LifelikeError

log = logging.getLogger(__name__)


class ConnectionClaim:
    """The right to write a connection file.

    The lock goes with the process, even on kill -9, so a file without a locked lock is stale and may be replaced.

    Args:
        path: the connection file.

    Raises:
        LifelikeError: INVALID_SETTING when another backend lives on this file, INVALID_FILE when it can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(path.name + ".lock"), mode=0o600)
        self._published: ConnectionInfo | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"A backend is already running on {path}.",
                "Use that one, stop it with: lifelike stop, or choose another --connection-file.",
            ) from None
        except OSError as error:
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                f"The connection file {path} can't be written ({error.strerror}).",
                "Choose another with --connection-file.",
            ) from error
        if path.exists():
            log.info("replacing the connection file of a backend that is gone")

    def publish(self, info: ConnectionInfo) -> None:
        """Write the connection file, readable by this user alone."""
        write_connection_file(self.path, info)
        self._published = info

    def release(self) -> None:
        """Remove the connection file if it is still ours, and let others have it. May be called twice."""
        try:
            if self._published is not None and read_connection_file(self.path) == self._published:
                self.path.unlink(missing_ok=True)
        except (LifelikeError, OSError) as error:
            log.info("connection file not removed: %s", error)
        self._published = None
        if self._lock.is_locked:
            # Removed while held: a lock found on a removed file is not taken for one. Windows removes no open file.
            with suppress(OSError):
                Path(self._lock.lock_file).unlink()
            self._lock.release()
