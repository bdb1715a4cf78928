# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished picture files, read as the values they show, and handed to the hook once more before they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError

from ..portable_network_graphics import png

if TYPE_CHECKING:
    from .hook import Shot
    from .shoot import Studio


def display_pixels(file: Path) -> np.ndarray:
    """(H, W, 3) float32 display values 0…1 of a picture file, row 0 on top."""
    image = bpy.data.images.load(str(file), check_existing=False)
    try:
        image.colorspace_settings.name = "Non-Color"
        values = np.empty(len(image.pixels), np.float32)
        image.pixels.foreach_get(values)
        return values.reshape(image.size[1], image.size[0], image.channels)[::-1, :, :3]
    finally:
        bpy.data.images.remove(image)


def develop(studio: Studio, shot: Shot, look: str, file: Path) -> None:
    """Lets the hook change a picture file, as a darkroom would: grain, tone.

    Raises:
        LifelikeError: INVALID_FILE where the hook gives back no such picture.
    """
    if not studio.hook.has("develop"):
        return
    before = display_pixels(file)
    pixels = np.asarray(studio.hook.call("develop", shot, look, before.copy()), np.float64)
    if pixels.shape != before.shape or not np.isfinite(pixels).all():
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The hook's develop gives an array of shape {pixels.shape} for a picture of shape {before.shape}.",
            "Return the pixels in the shape in which they came.",
        )
    file.write_bytes(png(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)))
