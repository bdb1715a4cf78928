# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample sheet of a landmark training: fixed portraits with the landmarks that are there and those that are found."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lifelike.networks.face_locator import FaceLocator
from lifelike.training.portraits import Portraits

COLUMNS, ROWS = 6, 2
TRUE, FOUND = (60, 220, 90), (240, 60, 60)


def draw_sheet(locator: FaceLocator, portraits: Portraits) -> Image.Image:
    """Up to twelve portraits, evenly chosen: green the true landmarks, red those of every face found."""
    locator.eval()
    chosen = np.unique(np.linspace(0, len(portraits) - 1, COLUMNS * ROWS).round().astype(int))
    side = portraits.pictures.shape[1]
    sheet = Image.new("RGB", (COLUMNS * side, -(-len(chosen) // COLUMNS) * side))
    for place, index in enumerate(chosen):
        picture = portraits.pictures[index]
        found = [points for points, _ in locator.locate(picture.astype(np.float32) / 255)]
        drawn = with_landmarks(picture, [(portraits.landmarks[index], TRUE), *((points, FOUND) for points in found)])
        sheet.paste(drawn, (place % COLUMNS * side, place // COLUMNS * side))
    return sheet


def with_landmarks(
    picture: NDArray[np.uint8], faces: list[tuple[NDArray[np.float32], tuple[int, int, int]]]
) -> Image.Image:
    """A picture (R, R, 3) with dots at each face's landmarks (68, 2), in the face's colour."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    reach = max(picture.shape[0] / 256, 0.5)
    for landmarks, colour in faces:
        for x, y in landmarks - 0.5:  # the first pixel's centre is at (0.5, 0.5)
            draw.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    return image
