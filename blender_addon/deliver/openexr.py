# SPDX-License-Identifier: GPL-3.0-or-later
"""Scene-linear pixels as an OpenEXR file, written by Blender."""

from __future__ import annotations

import bpy
import numpy as np

from .. import compat
from ..capture.pixels import memory_folder

_HALF_MAX = 65504.0


def openexr(pixels: np.ndarray) -> bytes:
    """A file of half floats.

    Args:
        pixels: (H, W, 3 or 4) scene-linear, row 0 on top; a fourth channel is associated alpha.
    """
    height, width, channels = pixels.shape
    full = np.ones((height, width, 4), np.float32)
    full[..., :channels] = np.clip(pixels, -_HALF_MAX, _HALF_MAX)
    image = bpy.data.images.new("Lifelike OpenEXR", width, height, alpha=True, float_buffer=True)
    scene = bpy.data.scenes.new("Lifelike OpenEXR")
    try:
        image.alpha_mode = "PREMUL"
        image.pixels.foreach_set(np.ascontiguousarray(full[::-1]).ravel())
        image.update()
        settings = scene.render.image_settings
        compat.choose_file_format(settings, "OPEN_EXR", "RGBA" if channels == 4 else "RGB", "16")
        settings.exr_codec = "ZIP"
        with memory_folder() as folder:
            path = folder / "result.exr"
            image.save_render(str(path), scene=scene)
            return path.read_bytes()
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.images.remove(image)
