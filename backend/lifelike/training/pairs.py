# SPDX-License-Identifier: GPL-3.0-or-later
"""The paired heads: every picture once in the render look, once in the photo look, pixel-aligned.

A set is a folder with an ``index.jsonl`` (one line a pair: ``identity``, ``pose``, ``render``, ``photo``, ``lm68``,
``attributes``) and the pictures it names. All of them are synthetic: parametric heads rendered twice, never
photographs of people. What is measured on them says nothing certain about photographs of real people.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lifelike_protocol.errors import ErrorCode, LifelikeError

RESERVED_IDENTITIES = range(0, 80)
"""Identities kept for testing. 00000–00039 are held out by the set's makers, 00040–00079 by this project: no network
of a bundle, nor the evaluation's own look classifier, ever sees them in training, so that numbers measured on them are
about people the networks have not met."""


@dataclass(frozen=True)
class Pairs:
    """N pairs in memory.

    render, photo: (N, R, R, 3) uint8, sRGB display values.
    landmarks: (N, 68, 2) float32, iBUG order, pixels of these R × R pictures, x right, y down, first pixel's centre
        at (0.5, 0.5).
    identity, pose: (N,) int64. yaw: (N,) float32 degrees, positive: the face points to the picture's left edge.
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

    def training(self) -> Pairs:
        """Only what may be trained on."""
        return self.select(~self._is_reserved())

    def reserved(self) -> Pairs:
        """Only the identities kept for testing."""
        return self.select(self._is_reserved())

    def _is_reserved(self) -> NDArray[np.bool_]:
        return np.isin(self.identity, np.array(RESERVED_IDENTITIES))


@dataclass(frozen=True)
class LabelledFaces:
    """N pictures of one face each with its landmarks, e.g. renders of the example avatar; fields as in `Pairs`."""

    pictures: NDArray[np.uint8]
    landmarks: NDArray[np.float32]


def load_pairs(folder: Path, resolution: int, cache: Path | None = None) -> Pairs:
    """Read a set of pairs at a resolution.

    Args:
        folder: the set (with ``index.jsonl``).
        resolution: side in pixels; pictures are resampled with Lanczos, landmarks scaled along.
        cache: folder for decoded pictures, so that the next call takes a second; None decodes each time.

    Raises:
        LifelikeError: INVALID_FILE when the index or a picture is missing or unreadable.
    """
    rows = _read_index(folder)

    def decode() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        looks = []
        for look in ("render", "photo"):
            decoded = [_read_square(folder / row[look], resolution) for row in rows]
            looks.append(np.stack([pixels for pixels, _ in decoded]))
            scales = np.array([scale for _, scale in decoded], np.float32)
        return np.stack(looks), scales

    looks, scales = _cached(cache, _key(folder, resolution, "pairs"), decode)
    return Pairs(
        render=looks[0],
        photo=looks[1],
        landmarks=_landmarks(rows, scales),
        identity=np.array([int(row["identity"]) for row in rows], np.int64),
        pose=np.array([int(row["pose"]) for row in rows], np.int64),
        yaw=np.array([float(row.get("yaw", 0.0)) for row in rows], np.float32),
        attributes=[dict(row.get("attributes", {})) for row in rows],
    )


def load_faces(folder: Path, resolution: int, cache: Path | None = None) -> LabelledFaces:
    """Read square pictures of single faces: an index as for pairs, with ``render`` or ``image`` naming the picture.

    Raises:
        LifelikeError: INVALID_FILE when the index or a picture is missing or unreadable.
    """
    rows = _read_index(folder)

    def decode() -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        decoded = [_read_square(folder / row.get("render", row.get("image", "")), resolution) for row in rows]
        return np.stack([pixels for pixels, _ in decoded]), np.array([scale for _, scale in decoded], np.float32)

    pictures, scales = _cached(cache, _key(folder, resolution, "faces"), decode)
    return LabelledFaces(pictures, _landmarks(rows, scales))


def _read_index(folder: Path) -> list[dict]:
    index = folder / "index.jsonl"
    try:
        rows = [json.loads(line) for line in index.read_text().splitlines() if line.strip()]
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"There is no readable index.jsonl in {folder}.",
            "Point --pairs at the folder of the paired heads.",
        ) from error
    except ValueError as error:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"{index} is not a list of JSON lines ({error}).") from error
    if not rows or any("lm68" not in row for row in rows):
        raise LifelikeError(ErrorCode.INVALID_FILE, f"{index} is empty or has lines without landmarks (lm68).")
    return rows


def _read_square(file: Path, resolution: int) -> tuple[NDArray[np.uint8], float]:
    """The picture (R, R, 3) and by how much its coordinates shrank."""
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGB")
    except OSError as error:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"The picture {file} cannot be read ({error}).") from error
    if picture.width != picture.height:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"The picture {file} is not square.")
    scale = resolution / picture.width
    if scale != 1.0:
        picture = picture.resize((resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(picture, np.uint8), scale


def _landmarks(rows: list[dict], scales: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.array([row["lm68"] for row in rows], np.float32) * scales[:, None, None]


def _key(folder: Path, resolution: int, kind: str) -> str:
    """Changes whenever the index does."""
    return hashlib.sha256((folder / "index.jsonl").read_bytes() + f"{kind} {resolution}".encode()).hexdigest()[:16]


def _cached(
    cache: Path | None, key: str, decode: Callable[[], tuple[NDArray[np.uint8], NDArray[np.float32]]]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    if cache is None:
        return decode()
    file = cache / f"{key}.npz"
    if file.exists():
        with np.load(file) as stored:
            return stored["pictures"], stored["scales"]
    pictures, scales = decode()
    cache.mkdir(parents=True, exist_ok=True)
    partial = cache / f".{key}.partial.npz"
    np.savez(partial, pictures=pictures, scales=scales)
    partial.replace(file)
    return pictures, scales


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
