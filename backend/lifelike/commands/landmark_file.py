# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks from a JSON file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint

SHAPE = (68, 2)
REMEDY = "Give 68 pairs [x, y] in pixels for one face, or a list of such lists for several."


def read_landmarks(path: Path) -> tuple[FaceHint, ...]:
    """The faces in `path`.

    The file holds one face or a list of faces; a face is 68 pairs [x, y], iBUG order, pixels, x right, y down, the
    centre of the first pixel at (0.5, 0.5), or a map {"name": …, "landmarks": 68 pairs}.

    Raises:
        LifelikeError: INVALID_FILE.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The landmark file {path} can't be read ({error.strerror}).", "Check the path."
        ) from error
    except (ValueError, RecursionError) as error:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"The landmark file {path} isn't JSON.", REMEDY) from error
    faces = [content] if isinstance(content, dict) or _as_points(content) is not None else content
    if not isinstance(faces, list) or not faces:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"The landmark file {path} holds no face.", REMEDY)
    return tuple(_face(face, number, path) for number, face in enumerate(faces, 1))


def _face(face: Any, number: int, path: Path) -> FaceHint:
    name = str(face.get("name", "")) if isinstance(face, dict) else ""
    points = _as_points(face.get("landmarks") if isinstance(face, dict) else face)
    if points is None:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"Face {number} of the landmark file {path} isn't 68 pairs of numbers.", REMEDY
        )
    return FaceHint(name=name, landmarks=points)


def _as_points(value: Any) -> np.ndarray[Any, Any] | None:
    """(68, 2) float64, or None where `value` is anything else."""
    try:
        points = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        return None
    return points if points.shape == SHAPE and np.isfinite(points).all() else None
