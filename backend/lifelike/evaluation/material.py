# SPDX-License-Identifier: GPL-3.0-or-later
"""What is evaluated on: portraits in the render look, with their truths where the data has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lifelike.datasets.dataset import DataSet
from lifelike.datasets.identities import FIRST_OF_NAMES, identity_number, within
from lifelike.datasets.pairs import Pairs, face_masks
from lifelike_protocol.errors import ErrorCode, LifelikeError

Pictures = NDArray[np.uint8]
"""(N, R, R, 3), sRGB display values."""

INPUT, TRUTH = "input", "truth"
"""Keys of the two subjects that every evaluation starts from."""


@frozen(eq=False)
class Batch:
    """A few pictures: ``start`` is the place of the first among all; masks (n, R, R) uint8 of the face polygon.

    landmarks: (n, 68, 2) float32, NaN where unknown. truths and masks are None without truth.
    """

    start: int
    inputs: Pictures
    truths: Pictures | None
    landmarks: NDArray[np.float32]
    masks: NDArray[np.uint8] | None

    def __len__(self) -> int:
        return len(self.inputs)


@frozen(eq=False)
class Material:
    """N portraits of P people, in memory or mapped from a file; only batches of them are ever copied.

    inputs, truths: (M, R, R, 3), M ≥ N. rows: (N,) which of those M are evaluated on. landmarks: (N, 68, 2) pixels, NaN
    where unknown. person: (N,) 0…P−1. pose: (N,), no two alike of one person. names: how a picture is called on the
    page. attributes: one dictionary a picture.
    """

    inputs: Pictures
    truths: Pictures | None
    rows: NDArray[np.int64]
    landmarks: NDArray[np.float32]
    person: NDArray[np.int64]
    pose: NDArray[np.int64]
    names: tuple[str, ...]
    attributes: tuple[dict[str, Any], ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def resolution(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.inputs.shape[1])

    @property
    def people(self) -> int:
        """How many people there are."""
        return int(self.person.max()) + 1

    def person_attributes(self) -> list[dict[str, Any]]:
        """What is known of each person: the attributes of the person's first picture."""
        first = np.unique(self.person, return_index=True)[1]
        return [self.attributes[index] for index in first]

    def batches(self, size: int, indices: NDArray[np.int64] | None = None) -> Iterator[Batch]:
        """All pictures, or those at the indices, a few at a time."""
        chosen = np.arange(len(self)) if indices is None else indices
        for start in range(0, len(chosen), size):
            part = chosen[start : start + size]
            landmarks, rows = self.landmarks[part], self.rows[part]
            yield Batch(
                start=start,
                inputs=np.asarray(self.inputs[rows]),
                truths=None if self.truths is None else np.asarray(self.truths[rows]),
                landmarks=landmarks,
                masks=None if self.truths is None else face_masks(landmarks, self.resolution),
            )


def material_of_pairs(pairs: Pairs, keep: NDArray[np.bool_] | None = None) -> Material:
    """Pairs with their truths: all, or those where `keep` (N,) is true.

    Raises:
        LifelikeError: INVALID_FILE when there is none.
    """
    rows = np.arange(len(pairs)) if keep is None else np.flatnonzero(keep)
    _refuse_nobody(rows)
    identity = pairs.identity[rows]
    person = _numbered(identity)
    pose = _distinct_poses(person, pairs.pose[rows])
    return Material(
        inputs=pairs.render,
        truths=pairs.photo,
        rows=rows,
        landmarks=pairs.landmarks[rows],
        person=person,
        pose=pose,
        names=_names(identity, person, pose),
        attributes=tuple(pairs.attributes[row] for row in rows),
    )


def material_of_renders(
    dataset: DataSet, resolution: int, wanted: Iterable[range] | None, cache: Path | None
) -> Material:
    """Aligned renders without a truth: a data set's render look, or all its pictures where no look is stated.

    Args:
        wanted: the people to take, None for everybody. A picture of nobody stated is a person of its own.

    Raises:
        LifelikeError: INVALID_FILE when there is none, or a picture is smaller than the resolution or not square.
    """
    pictures = dataset.pictures(resolution, "render" if dataset.of_look("render") else "", cache)
    stated = np.array([identity_number(record.identity) if record.identity else -1 for record in pictures.records])
    keep = np.ones(len(stated), np.bool_) if wanted is None else within(stated, wanted)
    rows = np.flatnonzero(keep)
    _refuse_nobody(rows)
    records = [pictures.records[row] for row in rows]
    identity = np.where(stated[rows] < 0, -1 - rows, stated[rows])
    person = _numbered(identity)
    pose = _distinct_poses(person, np.zeros(len(rows), np.int64))
    return Material(
        inputs=pictures.pixels,
        truths=None,
        rows=rows,
        landmarks=pictures.landmarks[rows],
        person=person,
        pose=pose,
        names=tuple(Path(record.file).stem for record in records),
        attributes=tuple(record.attributes for record in records),
    )


def _refuse_nobody(rows: NDArray[np.int64]) -> None:
    if len(rows) == 0:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            "The data has none of the people to evaluate on.",
            "Choose other ones with --identities (or all), or give a data set that has them.",
        )


def _numbered(identity: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(identity, return_inverse=True)[1].astype(np.int64)


def _distinct_poses(person: NDArray[np.int64], stated: NDArray[np.int64]) -> NDArray[np.int64]:
    """The poses as stated; where somebody has one twice, everybody's pictures are numbered in their order instead."""
    if len(np.unique(np.stack([person, stated]), axis=1).T) == len(person):
        return stated
    order = np.argsort(person, kind="stable")
    first = np.searchsorted(person[order], np.arange(int(person.max()) + 1))
    poses = np.empty(len(person), np.int64)
    poses[order] = np.arange(len(person)) - first[person[order]]
    return poses


def _names(identity: NDArray[np.int64], person: NDArray[np.int64], pose: NDArray[np.int64]) -> tuple[str, ...]:
    """Numbers as the data set has them; people with other names are numbered."""
    who = [f"{i:05}" if i < FIRST_OF_NAMES else f"person {p + 1}" for i, p in zip(identity, person, strict=True)]
    return tuple(f"{name}, pose {number}" for name, number in zip(who, pose, strict=True))
