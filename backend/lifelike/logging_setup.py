# SPDX-License-Identifier: GPL-3.0-or-later
"""One log file with rotation, and everything the process says in it."""

from __future__ import annotations

import faulthandler
import logging
import os
import sys
import threading
from logging.handlers import RotatingFileHandler
from pathlib import Path
from types import TracebackType

from lifelike_protocol.errors import ErrorCode, LifelikeError

LOG_BYTES = 2_000_000
LOG_BACKUPS = 3
LOG_FORMAT = "%(asctime)s %(levelname)s %(threadName)s %(name)s: %(message)s"

log = logging.getLogger(__name__)


def open_log(path: Path, level: int = logging.INFO) -> None:
    """Send all logging, warnings and uncaught exceptions to `path`, rotated at 2 MB, three old ones kept.

    Raises:
        LifelikeError: INVALID_FILE when the file can't be opened for writing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=LOG_BACKUPS, encoding="utf-8")
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The log file {path} can't be written ({error.strerror}).",
            "Choose another with --log-file.",
        ) from error
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda hook: _log_uncaught(hook.exc_type, hook.exc_value, hook.exc_traceback)


def _log_uncaught(kind: type[BaseException], value: BaseException | None, traceback: TracebackType | None) -> None:
    log.critical("uncaught exception", exc_info=(kind, value or kind(), traceback))


def detach_output(path: Path) -> None:
    """Let go of the standard streams: what native code still prints, crash reports among it, goes to `path`.

    Whoever started the backend may stop reading its pipes; a full pipe must never block it.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    # An open log can't be rotated on Windows, so there native output is dropped.
    target = path if os.name == "posix" else Path(os.devnull)
    descriptor = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    faulthandler.enable()
