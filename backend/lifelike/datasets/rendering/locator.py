# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for the face in what Blender rendered, where the scene knows no landmarks."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path

import numpy as np

from lifelike.bundles.bundle import Bundle
from lifelike.bundles.registry import load_bundle
from lifelike.datasets.decoding import read_rgb
from lifelike.faces.alignment import portrait_transform, scale_of
from lifelike.faces.landmarks import locate_faces
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

_ONE_AT_A_TIME = threading.Lock()


def locate_largest(picture: Path) -> Array | None:
    """Landmarks (68, 2) of the largest face of a picture file, pixels; None where there is none."""
    display = read_rgb(picture).astype(np.float32) / 255
    with _ONE_AT_A_TIME:
        locator = _bundle().locator
        try:
            faces = locate_faces(display, (), None if locator is None else locator.locate)
        except LifelikeError as error:
            if error.code is ErrorCode.NO_FACE:
                return None
            raise
    largest = max(faces, key=lambda face: scale_of(portrait_transform(face.landmarks, 1)))
    return np.asarray(largest.landmarks, np.float64)


@cache
def _bundle() -> Bundle:
    return load_bundle()
