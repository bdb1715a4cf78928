# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels of an image datablock as an array, and of files Blender wrote into memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np


def image_pixels(image: bpy.types.Image) -> np.ndarray:
    """(H, W, C) float32, row 0 on top, C as the image has it.

    8-bit images give the values of the file over 255, float images what Blender holds in memory:
    scene-linear, except for colour spaces that are data.
    """
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    return np.ascontiguousarray(pixels.reshape(height, width, image.channels)[::-1])


def read_file(path: Path, colour_space: str = "Non-Color") -> np.ndarray:
    """(H, W, C) float32 of a picture file, row 0 on top; the values of the file unless a space is named."""
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        image.colorspace_settings.name = colour_space
        # Colours under transparent pixels must not be multiplied by an alpha that is not theirs.
        image.alpha_mode = "CHANNEL_PACKED"
        return image_pixels(image)
    finally:
        bpy.data.images.remove(image)


@contextmanager
def linear_image(pixels: np.ndarray) -> Iterator[bpy.types.Image]:
    """A float image that exists for a moment.

    Args:
        pixels: (H, W, 3 or 4) scene-linear, row 0 on top; a fourth channel is associated alpha.
    """
    height, width, channels = pixels.shape
    full = np.ones((height, width, 4), np.float32)
    full[..., :channels] = pixels
    image = bpy.data.images.new("Lifelike", width, height, alpha=True, float_buffer=True)
    try:
        image.alpha_mode = "PREMUL"
        image.pixels.foreach_set(np.ascontiguousarray(full[::-1]).ravel())
        image.update()
        yield image
    finally:
        bpy.data.images.remove(image)


def without_idle_alpha(pixels: np.ndarray) -> np.ndarray:
    """(H, W, 3) where nothing is transparent, else the (H, W, 4) array itself; grey becomes three channels."""
    if pixels.shape[2] < 3:
        return np.repeat(pixels[..., :1], 3, axis=2)
    if pixels.shape[2] == 4:
        # Engines that accumulate samples end a little below 1; less than an 8-bit level counts as opaque.
        opaque = 255 if pixels.dtype == np.uint8 else 1.0 - 1.0 / 255
        if bool((pixels[..., 3] >= opaque).all()):
            return np.ascontiguousarray(pixels[..., :3])
    return pixels


@contextmanager
def memory_folder() -> Iterator[Path]:
    """A folder that exists for a moment, in memory where the system offers that."""
    shared_memory = Path("/dev/shm")
    parent = shared_memory if shared_memory.is_dir() and os.access(shared_memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="lifelike-", dir=parent) as folder:
        yield Path(folder)
