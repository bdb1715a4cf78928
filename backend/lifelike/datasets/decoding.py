# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture file as the 8-bit sRGB pixels that data sets are made of.

Grey and palette pictures become RGB; CMYK and other colour profiles become sRGB; an EXIF orientation is carried out;
16 bits are rounded to 8; scene-linear files (EXR, HDR) are shown as an sRGB display shows them. Alpha is composited
over `BACKDROP`, because what lies under a transparent pixel is arbitrary and a network would learn it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lifelike.imaging.colour import to_display
from lifelike.imaging.files import read_picture
from lifelike.imaging.views import srgb_decoded
from lifelike_protocol.messages import Array

BACKDROP = 128
"""Display value (0…255, each channel) under transparent pixels: middle grey, as FFHQ's padding tends towards the
picture's median and away from black and white edges."""


def read_rgb(path: Path) -> Array:
    """The picture in a file.

    Returns:
        (H, W, 3) uint8, sRGB display values.

    Raises:
        LifelikeError: INVALID_FILE, naming the file.
    """
    frame = read_picture(path)
    pixels = frame.pixels
    if frame.encoding.kind == "scene_linear":
        return _bytes(to_display(_on_linear_backdrop(pixels), frame.encoding))
    if pixels.shape[2] == 3 and pixels.dtype == np.uint8:
        return pixels
    colours = to_display(pixels, frame.encoding)
    if pixels.shape[2] == 4:
        alpha = _share(pixels[:, :, 3:])
        colours = colours * alpha + (1 - alpha) * np.float32(BACKDROP / 255)
    return _bytes(colours)


def _on_linear_backdrop(pixels: Array) -> Array:
    """Scene-linear pixels with alpha multiplied in, laid over the backdrop: (H, W, 3)."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = np.nan_to_num(_share(pixels[:, :, 3:]))
    backdrop = srgb_decoded(np.full((1, 1, 3), BACKDROP / 255, np.float32))
    covered: Array = pixels[:, :, :3].astype(np.float32) + (1 - alpha) * backdrop
    return covered


def _share(alpha: Array) -> Array:
    """Alpha as float32 0…1."""
    largest = 255 if alpha.dtype == np.uint8 else 1
    share: Array = np.clip(alpha.astype(np.float32) / largest, 0, 1)
    return share


def _bytes(colours: Array) -> Array:
    rounded: Array = np.clip(np.rint(colours * 255), 0, 255).astype(np.uint8)
    return rounded
