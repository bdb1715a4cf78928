# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a data set: Blenders at work side by side, every whole picture recorded, everything else thrown away."""

from __future__ import annotations

import json
import queue
import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from attrs import define, evolve, field, frozen

from lifelike.datasets.card import CARD, DataSetCard, card_text
from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.indexes import read_index
from lifelike.datasets.record import Record
from lifelike.datasets.rendering.blender import Blender
from lifelike.datasets.rendering.plan import (
    REJECTED,
    RenderPlan,
    check_looks,
    file_hash,
    picture_name,
    shots_done,
)
from lifelike.datasets.rendering.process import BlenderGone, BlenderProcess, Locate
from lifelike.datasets.storage import FolderStorage
from lifelike.datasets.writing import append_line, append_record, replace_text, store_picture, writing_to
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

CRASHES = 3
"""In a row, after which Blender is not started again."""
USELESS = 20
"""Shots in a row without a face, after which no other is tried."""
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


@define
class Tally:
    """Shots of this run. waiting: still to do. reasons: of those rejected. notes: what Blender has to say."""

    waiting: int
    made: int = 0
    reasons: Counter[str] = field(factory=Counter)
    notes: set[str] = field(factory=set)


def _locate(picture: Path) -> Array | None:
    # Only scenes without landmarks need networks: torch is not imported for the others.
    from lifelike.datasets.rendering.locator import locate_largest

    return locate_largest(picture)


def render_dataset(
    plan: RenderPlan,
    blender: Blender,
    folder: Path,
    *,
    jobs: int = 1,
    shot_seconds: float = 1800.0,
    command: str = "",
    licence: str = "",
    locate: Locate = _locate,
    on_shot: Callable[[Tally], None] = lambda tally: None,
) -> Tally:
    """Renders the shots that the data set in `folder` lacks.

    Killed at any moment, the same call carries on; the pictures are the same as of an uninterrupted run.

    Args:
        jobs: Blenders at a time. shot_seconds: after which a shot, all its looks together, is given up.
        command, licence: for the card.
        locate: finds the face of a picture file; by default with the built-in bundle's network.
        on_shot: told after each shot, and once before the first.

    Raises:
        LifelikeError: a bad plan, an unusable scene or hook, a Blender that keeps crashing, no face in many shots, or
            a folder that holds something else. What was done stays.
    """
    plan.check()
    card = evolve(_card(plan, blender, folder), command=command, licence=licence)
    with writing_to(folder, card):
        done = shots_done(folder)
        wanted = set(plan.looks) or None
        numbers = [shot for shot in range(plan.count) if not _complete(done.get(shot, set()), wanted, done)]
        tally = Tally(len(numbers))
        on_shot(tally)
        if not numbers:
            return tally
        hashes = {scene: file_hash(scene) for scene in plan.scenes}
        with _scratch(folder) as scratch, _working(plan, blender, numbers, scratch, jobs, shot_seconds, locate) as work:
            useless = 0
            for result in work:
                useless = 0 if result.pictures else useless + 1
                _record(folder, plan, result, done.get(result.shot, set()), hashes)
                tally.waiting -= 1
                tally.made += bool(result.pictures)
                tally.notes |= set(result.notes)
                if result.reason:
                    tally.reasons[result.reason] += 1
                on_shot(tally)
                if useless >= USELESS:
                    raise _no_face(tally)
        _count(folder, card)
    if tally.reasons and not tally.made and not any(looks - {""} for looks in done.values()):
        raise _no_face(tally)
    return tally


def _complete(there: set[str], wanted: set[str] | None, done: dict[int, set[str]]) -> bool:
    """Whether a shot has all its looks: those asked for, else as many as any shot has."""
    if "" in there:
        return True
    if wanted is None:
        wanted = set().union(*done.values()) - {""} if done else set()
    return bool(there) and there >= wanted


def _card(plan: RenderPlan, blender: Blender, folder: Path) -> DataSetCard:
    return DataSetCard(
        name=folder.absolute().name,
        made_with="dataset render",
        resolution=plan.settings.resolution,
        seed=plan.settings.seed,
        settings=plan.deciding(),
        versions={"lifelike": _own_version(), "Blender": blender.version},
        description="Rendered portraits, cropped as FFHQ crops faces; landmarks known from the scene or found.",
    )


def _no_face(tally: Tally) -> LifelikeError:
    reason, number = tally.reasons.most_common(1)[0]
    return LifelikeError(
        ErrorCode.NO_FACE,
        f"No shot could be used; {number} times because {reason}.",
        "Look at the scene, its camera and the ranges; docs/rendering_datasets.md tells what a scene needs.",
    )


def _own_version() -> str:
    try:
        return version("lifelike")
    except PackageNotFoundError:  # run from its source
        return ""


def _count(folder: Path, card: DataSetCard) -> None:
    rejected = sum("" in looks for looks in shots_done(folder).values())
    records, _ = read_index(FolderStorage(folder))
    replace_text(folder / CARD, card_text(card.counted(records, rejected=rejected)))


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """Where Blender puts pictures until they are recorded; what a killed run left there goes first."""
    for left in folder.glob(".rendering-*"):
        shutil.rmtree(left, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix=".rendering-", dir=folder.absolute()))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _record(folder: Path, plan: RenderPlan, result: Done, there: set[str], hashes: dict[Path, str]) -> None:
    """Stores what a shot came to: pictures first, then their lines."""
    if result.reason:
        append_line(folder / REJECTED, json.dumps({"shot": result.shot, "reason": result.reason}))
        return
    scene = plan.scene_of(result.shot)
    head = result.answer["head"]
    identity = result.answer["identity"] or (f"{scene.stem}/{head}" if head else scene.stem)
    stored = []
    for look, pixels in result.pictures.items():
        record = Record(
            file=picture_name(result.shot, look),
            look=look,
            pair=f"{result.shot:06d}" if len(result.pictures) > 1 else "",
            identity=identity,
            landmarks=np.asarray(result.answer["landmarks"], np.float64),
            attributes={"shot": result.shot, **result.answer["attributes"]},
            source=scene.name,
            source_sha256=hashes[scene],
        )
        if look not in there:
            stored.append(store_picture(folder, record, pixels))
    for record in stored:
        append_record(folder, record)


# -- Blenders at work ---------------------------------------------------------------------------------


@contextmanager
def _working(
    plan: RenderPlan,
    blender: Blender,
    numbers: Iterable[int],
    scratch: Path,
    jobs: int,
    shot_seconds: float,
    locate: Locate,
) -> Iterator[Iterator[Done]]:
    """Results as they come. Leaving ends every Blender."""
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
