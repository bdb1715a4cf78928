# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a run should stop before its end: Ctrl-C, SIGTERM, or the minutes it was given."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import Any

MINUTES_OVER = "its minutes are over"


class StopWish:
    """Watches for reasons to stop after the step at hand; a second Ctrl-C stops at once.

    Args:
        minutes: of this start of the run; None: no limit.
    """

    def __init__(self, minutes: float | None = None) -> None:
        self._deadline = None if minutes is None else time.monotonic() + minutes * 60
        self._signal = ""
        self._before: dict[signal.Signals, Any] = {}

    def reason(self) -> str:
        """ "" to go on."""
        if self._signal:
            return self._signal
        return MINUTES_OVER if self._deadline is not None and time.monotonic() >= self._deadline else ""

    def __enter__(self) -> StopWish:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._wish)
        return self

    def _wish(self, number: int, frame: FrameType | None) -> None:
        self._signal = "Ctrl-C" if number == signal.SIGINT else signal.Signals(number).name
        signal.signal(number, signal.default_int_handler)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
