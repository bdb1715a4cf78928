# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene-linear pixels as an OpenEXR file, written by Blender."""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from ..capture.pixels import linear_image, memory_folder

_HALF_MAX = 65504.0


def openexr(pixels: np.ndarray) -> bytes:
    """A file of half floats.

    Args:
        pixels: (H, W, 3 or 4) scene-linear, row 0 on top; a fourth channel is associated alpha.
    """
    scene = bpy.data.scenes.new("Lifelike OpenEXR")
    try:
        settings = scene.render.image_settings
        compat.choose_file_format(settings, "OPEN_EXR", "RGBA" if pixels.shape[2] == 4 else "RGB", "16")
        settings.exr_codec = "ZIP"
        with memory_folder() as folder, linear_image(np.clip(pixels, -_HALF_MAX, _HALF_MAX)) as image:
            path = folder / "result.exr"
            image.save_render(str(path), scene=scene)
            return path.read_bytes()
    finally:
        bpy.data.scenes.remove(scene)
