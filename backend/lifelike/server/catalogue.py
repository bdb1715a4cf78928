# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of bundles for `Status`, read beside the thread that speaks with clients."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from lifelike_protocol.messages import BundleSummary

FRESH_SECONDS = 2.0

log = logging.getLogger(__name__)


class Catalogue:
    """Remembers the bundles and reads them again, in a thread of its own, when someone looks.

    Args:
        read: lists the bundles on disk; may be slow.
    """

    def __init__(self, read: Callable[[], Sequence[BundleSummary]]) -> None:
        self._read = read
        self._bundles: tuple[BundleSummary, ...] = ()
        self._read_at = 0.0
        self._reading: threading.Thread | None = None
        self.refresh()

    def refresh(self) -> None:
        """Read the list now. Bundles that can't be read leave the last list as it was."""
        try:
            self._bundles = tuple(self._read())
        except Exception:
            log.exception("the bundles can't be listed")
        self._read_at = time.monotonic()

    def current(self) -> tuple[BundleSummary, ...]:
        """The last list read, at once; starts reading a new one when it is older than two seconds."""
        busy = self._reading is not None and self._reading.is_alive()
        if not busy and time.monotonic() - self._read_at > FRESH_SECONDS:
            self._reading = threading.Thread(target=self.refresh, name="catalogue", daemon=True)
            self._reading.start()
        return self._bundles
