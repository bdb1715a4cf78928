# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures that are there twice, in the render look and in the photo look, pixel-aligned; and single faces.

The paired heads are such a set, and so is what `lifelike dataset render` makes of a scene with both looks. All of
these are synthetic: heads rendered twice, never photographs of people. What is measured on them says nothing certain
about photographs of real people.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lifelike.datasets.dataset import DataSet, open_dataset
from lifelike.datasets.identities import RESERVED_IDENTITIES, identity_number, within
from lifelike.datasets.pictures import Pictures
from lifelike.datasets.record import Record
from lifelike_protocol.errors import ErrorCode, LifelikeError

__all__ = ["RESERVED_IDENTITIES", "LabelledFaces", "Pairs", "face_masks", "load_faces", "load_pairs"]


@dataclass(frozen=True)
class Pairs:
    """N pairs.

    render, photo: (N, R, R, 3) uint8, sRGB display values; may be read only.
    landmarks: (N, 68, 2) float32, iBUG order, pixels of these R × R pictures, x right, y down, first pixel's centre
        at (0.5, 0.5).
    identity: (N,) int64, see `lifelike.datasets.identities`. pose: (N,) int64.
    yaw: (N,) float32 degrees, positive: the face points to the picture's left edge; 0 where nobody said.
    attributes: N dictionaries as the index has them.
    """

    render: NDArray[np.uint8]
    photo: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    identity: NDArray[np.int64]
    pose: NDArray[np.int64]
    yaw: NDArray[np.float32]
    attributes: list[dict]

    def __len__(self) -> int:
        return len(self.identity)

    @property
    def resolution(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.render.shape[1])

    def select(self, keep: NDArray) -> Pairs:
        """The pairs at these indices, or where a boolean array (N,) is true."""
        indices = np.flatnonzero(keep) if keep.dtype == np.bool_ else keep
        return replace(
            self,
            render=self.render[indices],
            photo=self.photo[indices],
            landmarks=self.landmarks[indices],
            identity=self.identity[indices],
            pose=self.pose[indices],
            yaw=self.yaw[indices],
            attributes=[self.attributes[i] for i in indices],
        )

    def training(self, reserved: Iterable[range] = (RESERVED_IDENTITIES,)) -> Pairs:
        """Only what may be trained on: no reserved identity."""
        return self.select(~within(self.identity, reserved))

    def reserved(self, reserved: Iterable[range] = (RESERVED_IDENTITIES,)) -> Pairs:
        """Only the identities kept for testing."""
        return self.select(within(self.identity, reserved))


@dataclass(frozen=True)
class LabelledFaces:
    """N pictures of one face each with its landmarks, e.g. renders of the example avatar; fields as in `Pairs`."""

    pictures: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def load_pairs(folders: Path | Sequence[Path], resolution: int, cache: Path | None = None) -> Pairs:
    """Read the pairs of one or several data sets at a resolution.

    Args:
        folders: data sets that have two looks, in any format of `open_dataset`.
        resolution: side in pixels; larger pictures are resampled, landmarks scaled along.
        cache: folder for decoded pictures, so that the next call takes a second; None decodes each time.

    Raises:
        LifelikeError: INVALID_FILE when a set is unreadable or holds no pair with landmarks, or a picture is smaller.
    """
    sets = [_pairs(open_dataset(folder), resolution, cache) for folder in _several(folders)]
    if len(sets) == 1:
        return sets[0]
    return Pairs(
        render=np.concatenate([pairs.render for pairs in sets]),
        photo=np.concatenate([pairs.photo for pairs in sets]),
        landmarks=np.concatenate([pairs.landmarks for pairs in sets]),
        identity=np.concatenate([pairs.identity for pairs in sets]),
        pose=np.concatenate([pairs.pose for pairs in sets]),
        yaw=np.concatenate([pairs.yaw for pairs in sets]),
        attributes=[attributes for pairs in sets for attributes in pairs.attributes],
    )


def load_faces(folders: Path | Sequence[Path], resolution: int, cache: Path | None = None) -> LabelledFaces:
    """Read single faces that have landmarks: renders, and pictures of no stated look; photographs are left out.

    Args: as `load_pairs`.

    Raises:
        LifelikeError: INVALID_FILE when a set is unreadable or holds no such face, or a picture is smaller.
    """
    sets = [_faces(open_dataset(folder), resolution, cache) for folder in _several(folders)]
    if len(sets) == 1:
        return sets[0]
    return LabelledFaces(
        np.concatenate([faces.pictures for faces in sets]), np.concatenate([faces.landmarks for faces in sets])
    )


def _several(folders: Path | Sequence[Path]) -> list[Path]:
    return [folders] if isinstance(folders, Path) else list(folders)


def _pairs(dataset: DataSet, resolution: int, cache: Path | None) -> Pairs:
    shots = {render.pair: render for render, _ in dataset.pairs_of_looks() if render.landmarks is not None}
    if not shots:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"There are no pairs with landmarks in {dataset.path}.",
            "Name a data set that has every shot in both looks, as the paired heads do.",
        )
    looks = [dataset.pictures(resolution, look, cache) for look in ("render", "photo")]
    places = [{record.pair: index for index, record in enumerate(look.records)} for look in looks]
    whole = [pair for pair in shots if all(pair in place for place in places)]
    render, photo = (_picked(look, [place[pair] for pair in whole]) for look, place in zip(looks, places, strict=True))
    records = [shots[pair] for pair in whole]
    return Pairs(
        render=render.pixels,
        photo=photo.pixels,
        landmarks=render.landmarks,
        identity=np.array([identity_number(record.identity) for record in records], np.int64),
        pose=np.array([_number(record, "pose") for record in records], np.int64),
        yaw=np.array([_number(record, "yaw") for record in records], np.float32),
        attributes=[record.attributes for record in records],
    )


def _faces(dataset: DataSet, resolution: int, cache: Path | None) -> LabelledFaces:
    look = "render" if dataset.of_look("render") else ""
    pictures = dataset.pictures(resolution, look, cache)
    labelled = [index for index, record in enumerate(pictures.records) if record.landmarks is not None]
    if not labelled:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"No picture in {dataset.path} has landmarks.",
            "Make the data set with `lifelike dataset prepare` or `dataset render`.",
        )
    faces = _picked(pictures, labelled)
    return LabelledFaces(faces.pixels, faces.landmarks)


def _picked(pictures: Pictures, indices: list[int]) -> Pictures:
    """The pictures at these indices; without a copy where that is all of them in order."""
    if indices == list(range(len(pictures))):
        return pictures
    return Pictures(pictures.pixels[indices], [pictures.records[i] for i in indices], pictures.scales[indices])


def _number(record: Record, name: str) -> float:
    """A number among a record's attributes, 0 where there is none."""
    value = record.attributes.get(name, 0)
    return value if isinstance(value, (int, float)) else 0


def face_masks(landmarks: NDArray[np.float32], resolution: int, forehead: float = 0.0) -> NDArray[np.uint8]:
    """The inside of jaw line and brows as 255, all else 0: (N, 68, 2) → (N, R, R).

    Args:
        forehead: how far to lift the brow line, as a share of the distance from brows to chin; 0 is the face polygon
            over which errors are measured, 0.35 takes in most of the forehead.
    """
    masks = np.empty((len(landmarks), resolution, resolution), np.uint8)
    for index, points in enumerate(landmarks):
        brows = points[26:16:-1]
        lift = (brows.mean(0) - points[8]) * forehead
        outline = np.concatenate([points[:17], brows + lift])
        canvas = Image.new("L", (resolution, resolution))
        ImageDraw.Draw(canvas).polygon([(float(x) - 0.5, float(y) - 0.5) for x, y in outline], fill=255)
        masks[index] = np.asarray(canvas)
    return masks
