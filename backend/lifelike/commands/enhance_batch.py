# SPDX-License-Identifier: GPL-3.0-or-later
"""The work of `lifelike enhance`: every picture from its file into its file, several at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import evolve, frozen
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lifelike.batches.lanes import in_lanes
from lifelike.batches.memory import Room, frame_bytes
from lifelike.commands.enhance_report import described, failure, success
from lifelike.failures import cancelled, explain
from lifelike_protocol.messages import FaceHint, Frame, Result, Settings, Stage

Report = Callable[[Stage, float], None]
Enhance = Callable[[Frame, Settings, Report], Result]
Job = tuple[Path, Path]
"""A picture and the file to write."""


@frozen
class Crew:
    """Who does the work.

    enhance: may be called by several threads.
    lanes: pictures at a time.
    network_bytes: memory that each takes besides its frame.
    enter: called once in each lane's thread.
    """

    enhance: Enhance
    lanes: int
    network_bytes: int = 0
    enter: Callable[[], None] = lambda: None


@frozen
class Wish:
    """What is wanted of every picture."""

    settings: Settings
    hints: tuple[FaceHint, ...] = ()
    force: bool = False


@frozen
class Done:
    """One picture's entry in the report and what is said of it, each with the colour to say it in."""

    entry: dict[str, Any]
    said: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        return "error" in self.entry


def enhance_all(
    jobs: Sequence[Job], wish: Wish, crew: Crew, room: Room, console: Console | None = None
) -> list[dict[str, Any]]:
    """Enhances every picture; the entries for the report, in order. A picture that fails stops no other.

    Ctrl-C ends it as soon as the steps that have begun are over; a file is whole or not there. What there is to say
    goes to `console`, by default standard error.
    """
    stop, entries = threading.Event(), []
    with _progress_bar(console or Console(stderr=True)) as bar:
        overall = bar.add_task("pictures", total=len(jobs), stage="", visible=len(jobs) > 1)

        def work(job: Job) -> Done:
            task = bar.add_task(job[0].name, total=1.0, stage="")
            done = _enhance_one(job, wish, crew, room, ShownProgress(bar, task, stop), stop)
            if len(jobs) == 1:
                bar.update(task, stage="[red]failed") if done.failed else bar.update(task, completed=1.0, stage="done")
            else:
                bar.remove_task(task)
            return done

        for done in in_lanes(jobs, work, crew.lanes, stop, crew.enter):
            for sentence, colour in done.said:
                bar.console.print(sentence, style=colour, markup=False, soft_wrap=True)
            entries.append(done.entry)
            bar.update(overall, completed=len(entries), stage=f"{len(entries)} of {len(jobs)}")
    return entries


def _enhance_one(job: Job, wish: Wish, crew: Crew, room: Room, report: Report, stop: threading.Event) -> Done:
    from lifelike.imaging.files import check_writable, read_picture, write_picture

    picture, target = job
    try:
        # Before the work, so that nobody waits for what can't be kept.
        check_writable(target, wish.force)
        with room.taken(frame_bytes(picture) + crew.network_bytes, stop):
            frame = read_picture(picture)
            if wish.hints:
                frame = evolve(frame, faces=wish.hints)
            result = crew.enhance(frame, wish.settings, report)
            if stop.is_set():
                raise cancelled()
            write_picture(
                target, result.pixels, result.encoding, force=wish.force, description=described(result.provenance)
            )
    except Exception as error:
        failed = explain(error)
        told = str(failed) if str(picture) in failed.what else f"{picture}: {failed}"
        return Done(failure(picture, failed), ((told, "red"),))
    warnings = [warning for face in result.faces for warning in face.warnings]
    return Done(success(picture, target, result), tuple((f"{picture}: {warning}", "yellow") for warning in warnings))


class ShownProgress:
    """One picture's `Report`: its line of the bar, with the inversion's error while that is refined or tuned."""

    def __init__(self, bar: Progress, task: TaskID, stop: threading.Event) -> None:
        self._bar, self._task, self._stop = bar, task, stop
        self._error = ""

    def hear_error(self, error: float | None) -> None:
        """As `lifelike.pipeline.Listener.error`."""
        self._error = "" if error is None else f", {error:.2%} off"

    def __call__(self, stage: Stage, fraction: float) -> None:
        if self._stop.is_set():
            raise cancelled()
        self._bar.update(self._task, completed=fraction, stage=f"{stage.value}{self._error}")


@contextmanager
def _progress_bar(console: Console) -> Iterator[Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        yield bar
