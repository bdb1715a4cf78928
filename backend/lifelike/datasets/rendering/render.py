# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a data set: every whole picture is recorded, everything else thrown away."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
from attrs import define, evolve, field

from lifelike.datasets.card import CARD, DataSetCard, card_text
from lifelike.datasets.indexes import read_index
from lifelike.datasets.record import Record
from lifelike.datasets.rendering.benches import Done, working
from lifelike.datasets.rendering.blender import Blender
from lifelike.datasets.rendering.plan import (
    REJECTED,
    RenderPlan,
    picture_name,
    shots_done,
)
from lifelike.datasets.rendering.process import Locate
from lifelike.datasets.storage import FolderStorage
from lifelike.datasets.writing import append_line, append_record, replace_text, store_picture, writing_to
from lifelike.hashing import file_sha256
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

USELESS = 20
"""Shots in a row without a face, after which no other is tried."""


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
        hashes = {scene: file_sha256(scene) for scene in plan.scenes}
        with _scratch(folder) as scratch, working(plan, blender, numbers, scratch, jobs, shot_seconds, locate) as work:
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
