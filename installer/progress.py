# SPDX-License-Identifier: GPL-3.0-or-later
"""What the person sees meanwhile: one line a step, with what it is doing and how long it took."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

_plain = False


class Step:
    """One step under way. On a terminal its line is rewritten; in a log only start and end are printed."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.started = time.monotonic()
        self.outcome = "done"
        self._live = sys.stdout.isatty() and not _plain
        self._written = 0
        if self._live:
            self.doing("")
        else:
            print(f"{title} …", flush=True)

    def doing(self, what: str) -> None:
        """Shows what is being done right now."""
        if self._live:
            self._write(f"{self.title} … {what}")

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._live:
            self._write("")
            print("\r", end="")
        print(text, flush=True)

    def end(self, how: str) -> None:
        """The step's last line."""
        seconds = time.monotonic() - self.started
        text = f"{self.title}: {how} ({seconds:.1f} s)"
        if self._live:
            self._write(text)
            print(flush=True)
        else:
            print(text, flush=True)

    def _write(self, text: str) -> None:
        width = max(20, shutil.get_terminal_size().columns - 1)
        text = text[:width]
        print("\r" + text + " " * max(0, self._written - len(text)), end="", flush=True)
        self._written = len(text)


@contextmanager
def step(title: str) -> Iterator[Step]:
    """A step from its first line to its last, which says `failed` when an exception ends it."""
    shown = Step(title)
    try:
        yield shown
    except BaseException:
        shown.end("failed")
        raise
    shown.end(shown.outcome)


@contextmanager
def several_at_once() -> Iterator[None]:
    """While steps run in several threads no line is rewritten: each would write over the others'."""
    global _plain
    _plain = True
    try:
        yield
    finally:
        _plain = False


def note(text: str) -> None:
    """A line that belongs to no step."""
    print(text, flush=True)
