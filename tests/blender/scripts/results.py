# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as the backend sends them, for pictures a test chose. Runs inside Blender."""

from __future__ import annotations

import numpy as np

from lifelike_protocol.messages import (
    Encoding,
    FaceResult,
    Frame,
    LandmarkSource,
    Provenance,
    Result,
    Settings,
)


def result_of(
    pixels: np.ndarray, encoding: Encoding, box: tuple[int, int, int, int] | None = None, **terms: object
) -> Result:
    """A result that holds `pixels`; one face whose mask covers `box` (x0, y0, x1, y1), by default everything.

    `terms` are those of its provenance.
    """
    x0, y0, x1, y1 = box or (0, 0, pixels.shape[1], pixels.shape[0])
    face = FaceResult(
        name="face",
        landmarks=np.zeros((68, 2)),
        landmark_source=LandmarkSource.SCENE,
        transform=np.eye(3),
        portrait=np.zeros((4, 4, 3), np.uint8),
        photo=np.zeros((4, 4, 3), np.uint8),
        box=(x0, y0, x1, y1),
        mask=np.full((y1 - y0, x1 - x0), 255, np.uint8),
    )
    made_by = Provenance("none", "", Settings(), "cpu", {}, **terms)
    return Result("job", pixels, encoding, (face,), {"total": 0.0}, made_by)


def unchanged(frame: Frame) -> Result:
    """The result of a backend that changes nothing."""
    return result_of(frame.pixels, frame.encoding)
