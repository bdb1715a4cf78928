# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture examined: which faces it shows, and which of them are kept. What a worker process does."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cattrs
import imagehash
import numpy as np
from attrs import asdict, evolve, field, frozen
from PIL import Image

from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.preparation.measures import (
    FaceMeasures,
    blur_of,
    common_portrait,
    fault_of_blur,
    fault_of_place,
    measure_place,
)
from lifelike.datasets.preparation.thresholds import Reason, Thresholds
from lifelike.datasets.record import Record
from lifelike.datasets.writing import store_picture
from lifelike.faces.alignment import portrait_transform, transform_points
from lifelike.faces.ffhq import align_ffhq
from lifelike.faces.landmarks import Locator, locate_faces
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

PICTURES = "pictures"
LOCATED_SIDE = 2048
"""Pixels of the longer side at which faces are looked for: the detectors shrink further, and memory stays small."""
SUPERSAMPLED = 4
"""The intermediate of FFHQ's crop, in portrait sides: 4096 pixels for its 1024."""
HASH_SIDE = 16
"""Of the perceptual hash (ImageHash's phash): 256 bits. With 64, some different people are 2 bits apart."""
ENDED_PROCESS, NO_MEMORY = "reading it ended the process", "there was not enough memory for it"
"""Details of pictures that are unreadable for now."""
DIGITS = 3
"""Of landmarks and measures, after the point: beyond what any network knows."""


class Work(NamedTuple):
    """What pictures are examined for.

    folder: the data set's; portraits appear in its ``pictures``. resolution: of the portraits.
    limits: of what is kept. bundle: the name or path of the one whose locator finds faces.
    """

    folder: Path
    resolution: int
    limits: Thresholds
    bundle: str


@frozen
class Face:
    """One face of a picture.

    reason: why it is left out; None for a face that is kept. detail: the figures behind it.
    landmarks: (68, 2) as lists, source pixels.
    file: of the portrait in the data set, "" without one. sha256, hash: of the portrait, hexadecimal.
    """

    landmarks: list[list[float]]
    measures: FaceMeasures
    confidence: float
    reason: Reason | None = None
    detail: str = ""
    file: str = ""
    sha256: str = ""
    hash: str = ""


@frozen
class Examination:
    """One picture; also one line of the journal.

    source: its name. sha256: of its file. size: (width, height), (0, 0) where it could not be read.
    reason: why the whole picture is left out; None where its faces say for themselves.
    """

    source: str
    sha256: str
    size: tuple[int, int] = (0, 0)
    reason: Reason | None = None
    detail: str = ""
    faces: list[Face] = field(factory=list)


def examine(path: Path, source: str, sha256: str, work: Work, locator: Locator | None) -> Examination:
    """Looks at a picture and writes the portraits that are kept.

    Args:
        path, source, sha256: the picture's file, name and content.
        locator: of the bundle.

    Raises:
        LifelikeError: INVALID_FILE where a portrait cannot be written.
    """
    examination = Examination(source, sha256)
    try:
        pixels = read_rgb(path)
    except LifelikeError as error:
        why = error.what.removeprefix(f"{path} ").removesuffix(".")
        return evolve(examination, reason=Reason.UNREADABLE, detail=why)
    size = (pixels.shape[1], pixels.shape[0])
    examination = evolve(examination, size=size)
    located = find_faces(pixels, locator)
    if not located:
        return evolve(examination, reason=Reason.NO_FACE, detail="no face was found")
    faces = []
    for index, (landmarks, confidence) in enumerate(located):
        others = [points for other, (points, _) in enumerate(located) if other != index]
        measures = measure_place(landmarks, others, size)
        face = Face(np.round(landmarks, DIGITS).tolist(), measures, round(confidence, DIGITS))
        faces.append(_judged(face, pixels, landmarks, f"{PICTURES}/{sha256[:16]}_{index}.png", work))
    return evolve(examination, faces=faces)


def find_faces(pixels: Array, locator: Locator | None) -> list[tuple[Array, float]]:
    """Landmarks (68, 2) float64 in the pixels of a picture (H, W, 3) uint8 and confidence, from left to right."""
    small = Image.fromarray(pixels)
    small.thumbnail((LOCATED_SIDE, LOCATED_SIDE), Image.Resampling.LANCZOS, reducing_gap=None)
    scale = np.array([pixels.shape[1] / small.width, pixels.shape[0] / small.height])
    try:
        located = locate_faces(np.asarray(small, np.float32) / 255, bundle_locator=locator)
    except LifelikeError as error:
        if error.code is ErrorCode.NO_FACE:
            return []
        raise
    return [(face.landmarks * scale, face.confidence) for face in located]


def _judged(face: Face, pixels: Array, landmarks: Array, file: str, work: Work) -> Face:
    """The face with the reason it is left out, or with its portrait written."""
    fault = fault_of_place(face.measures, work.limits, work.resolution)
    if fault is None:
        common = common_portrait(pixels, landmarks, work.resolution)
        face = evolve(face, measures=evolve(face.measures, blur=blur_of(common, landmarks)))
        fault = fault_of_blur(face.measures.blur, work.limits)
    if fault is not None:
        return evolve(face, reason=fault[0], detail=fault[1])
    portrait = align_ffhq(pixels, landmarks, work.resolution, transform_size=SUPERSAMPLED * work.resolution)
    stored = store_picture(work.folder, Record(file), portrait)
    return evolve(face, file=file, sha256=stored.sha256, hash=str(imagehash.phash(Image.fromarray(common), HASH_SIDE)))


def record_of(face: Face, examination: Examination, resolution: int) -> Record:
    """The data set's record of a face that is kept."""
    landmarks = np.array(face.landmarks)
    transform = portrait_transform(landmarks, resolution)
    measures = {name: round(value, DIGITS) for name, value in asdict(face.measures).items()}
    return Record(
        face.file,
        landmarks=np.round(transform_points(np.linalg.inv(transform), landmarks), DIGITS),
        attributes={"yaw": measures.pop("yaw"), "confidence": face.confidence, "measures": measures},
        source=examination.source,
        source_sha256=examination.sha256,
        transform=transform,
        sha256=face.sha256,
    )


def to_json(examination: Examination) -> dict[str, Any]:
    """For the journal."""
    plain: dict[str, Any] = cattrs.unstructure(examination)
    return plain


def from_json(plain: dict[str, Any]) -> Examination:
    """From the journal.

    Raises:
        ValueError, cattrs.BaseValidationError: for anything else.
    """
    return cattrs.structure(plain, Examination)
