# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends the backend when the process that started it ends, however that one ended."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

import psutil

from lifelike_protocol.errors import ErrorCode, LifelikeError

CHECK_SECONDS = 1.0
GRACE_SECONDS = 5.0

log = logging.getLogger(__name__)


class ParentWatch:
    """Looks once a second whether the parent lives; a pid given to another process later is told by its start time.

    Args:
        pid: the parent.

    Raises:
        LifelikeError: INVALID_SETTING when there is no such process.
    """

    def __init__(self, pid: int) -> None:
        try:
            self._parent = psutil.Process(pid)
            self._parent.create_time()
        except (psutil.Error, ValueError, OverflowError):
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The process {pid} that the backend was to follow isn't running.",
                "Leave --parent-pid out to run without a parent.",
            ) from None
        self._stopped = threading.Event()

    def alive(self) -> bool:
        """Whether the parent runs; a zombie does not."""
        try:
            return bool(self._parent.is_running() and self._parent.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return False

    def start(self, on_end: Callable[[], None]) -> None:
        """Call `on_end` from another thread once the parent has ended; the process is ended if that doesn't help."""
        threading.Thread(target=self._watch, args=(on_end,), name="parent", daemon=True).start()

    def _watch(self, on_end: Callable[[], None]) -> None:
        while self.alive():
            if self._stopped.wait(CHECK_SECONDS):
                return
        log.info("the parent process ended")
        on_end()
        if not self._stopped.wait(GRACE_SECONDS):
            log.error("still here %.0f s after the parent ended; ending at once", GRACE_SECONDS)
            logging.shutdown()
            os._exit(1)

    def stop(self) -> None:
        """Watch no longer."""
        self._stopped.set()
