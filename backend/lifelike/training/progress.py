# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a training is: a bar with the time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn

SECONDS_BETWEEN_LINES = 20.0


class TrainingProgress:
    """Shows the pictures seen, speed, time left and running means of the scalars.

    Args:
        console: where to; None shows nothing.
        title: of the bar. total: pictures of the whole run. done: of them, when this start began.
    """

    def __init__(self, console: Console | None, title: str, total: int, done: int) -> None:
        self._console, self._title, self._total = console, title, total
        self._began_with = done
        self._began = self._told = time.monotonic()
        self._means: dict[str, float] = {}
        self._bar: Progress | None = None
        if console is not None and console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn())
            self._bar = Progress(*columns, TextColumn("{task.fields[told]}"), console=console)
            self._row = self._bar.add_task(title, total=total, completed=done, told="")

    def __enter__(self) -> TrainingProgress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, done: int, values: Mapping[str, float]) -> None:
        """After each update: pictures seen so far and the step's scalars."""
        for name, value in values.items():
            self._means[name] = value if name not in self._means else 0.98 * self._means[name] + 0.02 * value
        if self._bar is not None:
            self._bar.update(self._row, completed=done, told=self._speed(done))
        elif self._console is not None and time.monotonic() - self._told > SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            shown = "  ".join(f"{name} {value:.3g}" for name, value in self._means.items())
            share = f"{100 * done / self._total:.1f} %, {done} of {self._total} pictures"
            self._console.print(
                f"{self._title}: {share}, {self._speed(done)}  {shown}", highlight=False, soft_wrap=True
            )

    def say(self, line: str) -> None:
        """One line beside the bar."""
        if self._console is not None:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def _speed(self, done: int) -> str:
        speed = (done - self._began_with) / max(time.monotonic() - self._began, 1e-6)
        if speed <= 0:
            return ""
        left = timedelta(seconds=round((self._total - done) / speed))
        return f"{speed:.1f} img/s, {left} left"
