# SPDX-License-Identifier: GPL-3.0-or-later
"""Blenders at work side by side: each takes shot after shot, and is started again when it crashes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from attrs import field, frozen

from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.rendering.blender import Blender
from lifelike.datasets.rendering.plan import RenderPlan, check_looks
from lifelike.datasets.rendering.process import BlenderGone, BlenderProcess, Locate
from lifelike_protocol.messages import Array

CRASHES = 3
"""In a row, after which Blender is not started again."""
_BLANK = 1.5
"""Standard deviation, of 255, below which a picture shows nothing: the camera stands inside something."""


@frozen
class Done:
    """What one shot came to. pictures: by look, (N, N, 3) uint8. reason: why there are none. notes: for the person."""

    shot: int
    answer: dict[str, Any]
    pictures: dict[str, Array] = field(factory=dict)
    reason: str = ""
    notes: tuple[str, ...] = ()


@contextmanager
def working(
    plan: RenderPlan,
    blender: Blender,
    numbers: Iterable[int],
    scratch: Path,
    jobs: int,
    shot_seconds: float,
    locate: Locate,
) -> Iterator[Iterator[Done]]:
    """Several Blenders at work; gives their results as they come. Leaving ends every Blender.

    Args:
        numbers: of the shots. scratch: a folder for pictures. jobs: Blenders at a time.
        shot_seconds: after which a shot is given up. locate: finds the face of a picture file.

    Raises:
        LifelikeError: from the results, what no other shot can make up for.
    """
    # Shots of one scene in a row, so that scenes are opened seldom.
    waiting: queue.Queue[int] = queue.Queue()
    for shot in sorted(numbers, key=lambda shot: (plan.scenes.index(plan.scene_of(shot)), shot)):
        waiting.put(shot)
    results: queue.Queue[Done | Exception | None] = queue.Queue()
    benches = [
        _Bench(plan, blender, waiting, results, scratch / str(number), shot_seconds, locate)
        for number in range(max(1, min(jobs, waiting.qsize())))
    ]
    try:
        for bench in benches:
            bench.start()
        yield _results(results, len(benches))
    finally:
        for bench in benches:
            bench.stop()
        for bench in benches:
            bench.join(30.0)


def _results(results: queue.Queue[Done | Exception | None], benches: int) -> Iterator[Done]:
    while benches:
        try:
            # A wait without a limit could not be interrupted on Windows.
            result = results.get(timeout=1.0)
        except queue.Empty:
            continue
        if isinstance(result, Exception):
            raise result
        if result is None:
            benches -= 1
        else:
            yield result


class _Bench(threading.Thread):
    """One Blender that takes shot after shot, started again when it crashes."""

    def __init__(
        self,
        plan: RenderPlan,
        blender: Blender,
        waiting: queue.Queue[int],
        results: queue.Queue[Done | Exception | None],
        folder: Path,
        shot_seconds: float,
        locate: Locate,
    ) -> None:
        super().__init__(daemon=True)
        self._plan, self._blender = plan, blender
        self._waiting, self._results = waiting, results
        self._folder, self._seconds, self._locate = folder, shot_seconds, locate
        self._stopped = threading.Event()
        self._process: BlenderProcess | None = None
        self._scene: Path | None = None
        self._crashes = 0
        self._notes: tuple[str, ...] = ()

    def stop(self) -> None:
        """Ends the Blender, and soon the thread."""
        self._stopped.set()
        process = self._process
        if process is not None:
            process.kill()

    def run(self) -> None:
        try:
            self._folder.mkdir()
            while not self._stopped.is_set():
                try:
                    shot = self._waiting.get_nowait()
                except queue.Empty:
                    break
                self._results.put(self._take(shot))
        except Exception as error:
            if not self._stopped.is_set():
                self._results.put(error)
        finally:
            if self._process is not None:
                self._process.end()
            self._results.put(None)

    def _take(self, shot: int) -> Done:
        try:
            answer = self._ready(self._plan.scene_of(shot)).shoot(shot, self._folder, self._seconds)
        except BlenderGone as error:
            self._forget()
            self._crashes += 1
            if self._crashes >= CRASHES or self._scene is None or self._stopped.is_set():
                raise
            return Done(shot, {}, reason=error.what.rstrip("."))
        self._crashes = 0
        if "rejected" in answer:
            return Done(shot, answer, reason=answer["rejected"])
        pictures = {}
        for look, name in answer["pictures"].items():
            pictures[look] = read_rgb(self._folder / name)
            (self._folder / name).unlink()
            if pictures[look].std() < _BLANK:
                return Done(shot, answer, reason="the picture is blank")
        return Done(shot, answer, pictures, notes=self._notes)

    def _ready(self, scene: Path) -> BlenderProcess:
        """A Blender with that scene open."""
        if self._process is None:
            self._process = BlenderProcess(self._blender, self._locate)
            opened = None
        else:
            opened = self._scene
        if opened != scene:
            self._scene = None
            told = self._process.open(self._plan.opening(scene))
            check_looks(told["looks"], self._plan.looks)
            self._notes = tuple(told["notes"])
            self._scene = scene
        return self._process

    def _forget(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = None
