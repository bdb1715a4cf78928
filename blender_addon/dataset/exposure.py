# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposure of one look matched to another's: the face is as bright in both.

The rendered picture is saved through Blender's view transform again and again, not rendered again.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError

from .developing import display_pixels

_LUMA = np.array([0.2126, 0.7152, 0.0722])  # Rec. 709
_CLOSE_ENOUGH = 0.1 / 255
_FURTHEST = 4.0  # stops
_STEPS = 14


def face_brightness(file: Path, landmarks: np.ndarray) -> float:
    """Mean brightness 0…1 of a picture file, display values, inside jaw line and brows.

    Args:
        landmarks: (68, 2) pixels, iBUG order.
    """
    pixels = display_pixels(file)
    inside = _inside(np.concatenate([landmarks[:17], landmarks[26:16:-1]]), pixels.shape[0], pixels.shape[1])
    return float((pixels[inside] @ _LUMA).mean()) if inside.any() else float((pixels @ _LUMA).mean())


def save_as_bright(scene: bpy.types.Scene, file: Path, wanted: float, landmarks: np.ndarray) -> float:
    """Saves the render result so that the face has this brightness; returns the stops added.

    The exposure is left as it is found; where the wanted brightness cannot be reached, the nearest is saved.
    """
    view = scene.view_settings
    base = view.exposure
    low, high, stops = -_FURTHEST, _FURTHEST, 0.0
    try:
        for _ in range(_STEPS):
            view.exposure = base + stops
            save_rendered(scene, file)
            error = face_brightness(file, landmarks) - wanted
            if abs(error) < _CLOSE_ENOUGH:
                break
            low, high = (low, stops) if error > 0 else (stops, high)
            stops = (low + high) / 2
    finally:
        view.exposure = base
    return stops


def save_rendered(scene: bpy.types.Scene, file: Path) -> None:
    """Saves the render result through the scene's view transform.

    Raises:
        LifelikeError: INVALID_FILE where it cannot be written.
    """
    try:
        bpy.data.images["Render Result"].save_render(str(file), scene=scene)
    except RuntimeError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"Blender can't write a picture into {file.parent}: {str(error).strip()}",
            "Free some space and run the same command again; what is done is kept.",
        ) from error


def _inside(outline: np.ndarray, height: int, width: int) -> np.ndarray:
    """(H, W) bool: pixel centres inside a polygon of (N, 2) pixels, by the even-odd rule."""
    y, x = np.mgrid[:height, :width] + 0.5
    inside = np.zeros((height, width), bool)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        crosses = (y0 > y) != (y1 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside
