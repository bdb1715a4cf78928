# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft masks: which part of a frame one face may change, and how much.

Masks are drawn and softened in the portrait, where a face has always the same size, and put back from there;
their edges are soft enough for so few pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from lifelike.faces.alignment import portrait_transform, put_back, take_portrait, transform_points
from lifelike_protocol.messages import Array

RESOLUTION = 128
"""Pixels a side of the portrait in which masks are softened."""
SOFTNESS = 0.03
"""Standard deviation of the edge's blur, in portrait sides; a face is about half a side wide."""
RIM = 0.06
"""Width in portrait sides over which a mask fades at the portrait's rim, beyond which nothing is known."""
FOREHEAD = 0.45
"""Height of the forehead above the brows, in distances from brows to chin."""


def face_mask(landmarks: ArrayLike, shape: tuple[int, ...]) -> Array:
    """The soft outline of one face: jaw, temples and a forehead guessed from the rest.

    Args:
        landmarks: (68, 2) in frame pixels.
        shape: (height, width, …) of the frame.

    Returns:
        (height, width) uint8, 255 well inside the face, falling to 0 at its outline.
    """
    transform = portrait_transform(landmarks, RESOLUTION)
    outline = face_outline(transform_points(np.linalg.inv(transform), np.asarray(landmarks, np.float64)))
    finer = 4
    drawing = Image.new("L", (RESOLUTION * finer, RESOLUTION * finer))
    ImageDraw.Draw(drawing).polygon([(x * finer - 0.5, y * finer - 0.5) for x, y in outline], fill=255)
    filled = np.asarray(drawing.reduce(finer), np.float32) / 255
    return _on_frame(_soft_inside(filled), transform, shape)


def soft_mask(mask: Array, landmarks: ArrayLike) -> Array:
    """A mask sent with the frame, its edge softened inwards and ended at the portrait's rim.

    Args:
        mask: (H, W) uint8, the whole frame; hard or soft.
        landmarks: (68, 2) in frame pixels.

    Returns:
        (H, W) uint8, nowhere above `mask`.
    """
    transform = portrait_transform(landmarks, RESOLUTION)
    inside = np.clip(take_portrait(mask, transform, RESOLUTION, blend_beyond=False) / 255, 0, 1)
    weight = _on_frame(_soft_inside(inside), transform, mask.shape)
    return (mask.astype(np.uint16) * weight // 255).astype(np.uint8)


def mask_box(mask: Array) -> tuple[int, int, int, int]:
    """(x0, y0, x1, y1), half open: the part of a (H, W) mask that is not 0; (0, 0, 0, 0) where all of it is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return (0, 0, 0, 0)
    return (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def face_outline(points: Array) -> Array:
    """(N, 2) corners of the convex outline around 68 landmarks and the forehead above them."""
    temples, chin = (points[0], points[16]), points[8]
    brows = points[17:27].mean(axis=0)
    middle, half_width = (temples[0] + temples[1]) / 2, (temples[1] - temples[0]) / 2
    up = brows - chin
    top = brows + FOREHEAD * up - middle
    angle = np.linspace(0, np.pi, 17)[1:-1, None]
    # A rounder arch than an ellipse: foreheads are nearly as wide at the hairline as at the temples.
    arch = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.8 * half_width + np.sin(angle) ** 0.8 * top
    return _convex_hull(np.concatenate([points, middle + arch]))


def _convex_hull(points: Array) -> Array:
    """Corners of the convex hull in order (Andrew's monotone chain)."""

    def chain(ordered: Array) -> list[Array]:
        corners: list[Array] = []
        for point in ordered:
            while len(corners) > 1 and _turn(corners[-2], corners[-1], point) <= 0:
                corners.pop()
            corners.append(point)
        return corners[:-1]

    ordered = points[np.lexsort((points[:, 1], points[:, 0]))]
    return np.array(chain(ordered) + chain(ordered[::-1]))


def _turn(a: Array, b: Array, c: Array) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))


def _soft_inside(mask: Array) -> Array:
    """A mask 0…1 of a portrait, falling smoothly to 0 at its own edge and at the portrait's rim."""
    size = mask.shape[0]
    # A straight edge blurs to one half at the edge: what is above is inside.
    blurred = gaussian_filter(mask, SOFTNESS * size, mode="nearest")
    inside = np.clip(2 * blurred - 1, 0, 1)
    position = np.arange(size) + 0.5
    rim = np.clip(np.minimum(position, size - position) / (RIM * size), 0, 1)
    weight = inside * np.minimum(rim[:, None], rim[None, :])
    smooth: Array = (weight * weight * (3 - 2 * weight)).astype(np.float32)
    return smooth


def _on_frame(weight: Array, transform: Array, shape: tuple[int, ...]) -> Array:
    """A portrait's weights 0…1 as a mask (height, width) uint8 of the frame."""
    mask = np.zeros(shape[:2], np.uint8)
    values, (x0, y0, x1, y1) = put_back(weight[:, :, None], transform, shape)
    mask[y0:y1, x0:x1] = np.rint(np.clip(values[:, :, 0], 0, 1) * 255)
    return mask
