# SPDX-License-Identifier: GPL-3.0-or-later
"""The small picture of a result in the panels."""

from __future__ import annotations

import bpy
import numpy as np

from lifelike_protocol.messages import Result

SIDE = 256
"""Longest side of the thumbnail, pixels."""


def set_thumbnail(image: bpy.types.Image, result: Result) -> None:
    """Gives `image` a preview of display-referred results.

    Blender's own way draws previews in a job that ends unseen, and keeps the old one of an image updated in place.
    Scene-linear results get Blender's own preview: only Blender knows how they look.
    """
    preview = image.preview_ensure()
    if preview is None:
        return
    if result.encoding.kind != "display":
        preview.reload()
        return
    pixels = result.pixels
    step = max(1, -(-max(pixels.shape[:2]) // SIDE))
    small = np.ascontiguousarray(pixels[::step, ::step, :3][::-1]).astype(np.float32)
    if pixels.dtype == np.uint8:
        small /= 255
    opaque = np.concatenate([small, np.ones((*small.shape[:2], 1), np.float32)], axis=2)
    preview.image_size = (small.shape[1], small.shape[0])
    preview.image_pixels_float.foreach_set(np.clip(opaque, 0, 1).ravel())
