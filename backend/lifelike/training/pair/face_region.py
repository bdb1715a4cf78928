# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a portrait that training looks at: the head around the landmarks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter


def face_regions(landmarks: NDArray[np.float32], resolution: int) -> NDArray[np.uint8]:
    """Soft masks of the face and some of the hair around it.

    Args:
        landmarks: (N, 68, 2) iBUG, pixels.
        resolution: side of the portraits.

    Returns:
        (N, R, R) uint8, 255 inside: the jaw line closed by its mirror image above the brows, grown and softened.
    """
    masks = np.empty((len(landmarks), resolution, resolution), np.uint8)
    for mask, points in zip(masks, landmarks, strict=True):
        jaw, brows = points[:17], points[17:27]
        axis = points[8] - points[27]
        crown = brows - 0.45 * axis
        centre = points[27:31].mean(0)
        outline = np.concatenate([jaw, crown[::-1]])
        outline = centre + 1.08 * (outline - centre)
        image = Image.new("L", (resolution, resolution))
        ImageDraw.Draw(image).polygon([tuple(p) for p in outline.tolist()], fill=255)
        mask[:] = np.asarray(image.filter(ImageFilter.GaussianBlur(resolution / 40)))
    return masks
