# SPDX-License-Identifier: GPL-3.0-or-later
"""The FFHQ data set's own crop, step by step: for data sets and for proving the fast one right.

Reconstructed from the description of the data set's published script (Karras et al. 2019): shrink, crop, pad,
a bilinear quad transform at 4096 pixels, Lanczos. In use, `alignment.align` takes its place.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from scipy.ndimage import gaussian_filter

from lifelike.faces.alignment import portrait_transform, transform_points
from lifelike.faces.padding import BLUR, Padding, crop_and_padding, how_far_outside
from lifelike_protocol.messages import Array


def align_ffhq(pixels: Array, landmarks: ArrayLike, output_size: int, transform_size: int = 4096) -> Array:
    """The aligned portrait exactly as the data set's script makes it.

    Args:
        pixels: (H, W, 3) uint8.
        landmarks: (68, 2) in frame pixels with the first pixel's centre at (0.5, 0.5); landmarks that count
            from (0, 0), as dlib's and the data set's own do, need 0.5 added.
        output_size: pixels a side of the portrait.
        transform_size: pixels a side of the intermediate.

    Returns:
        (output_size, output_size, 3) uint8.

    Raises:
        LifelikeError: INVALID_SETTING for unusable landmarks.
    """
    corners = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], np.float64)
    # The script works with pixel centres at whole numbers.
    quad = transform_points(portrait_transform(landmarks, 1), corners) - 0.5
    side = float(np.hypot(*(quad[3] - quad[0])))
    picture = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))

    shrink = math.floor(side / output_size * 0.5)
    if shrink > 1:
        small = (round(picture.width / shrink), round(picture.height / shrink))
        picture = picture.resize(small, Image.Resampling.LANCZOS)
        quad, side = quad / shrink, side / shrink

    padding = crop_and_padding(quad, side, picture.size)
    picture = picture.crop((*padding.low.tolist(), *padding.high.tolist()))
    quad = quad - padding.low
    if padding.before.any():
        picture, quad = _padded(picture, padding, side), quad + padding.before
    picture = picture.transform(
        (transform_size, transform_size),
        Image.Transform.QUAD,
        tuple((quad + 0.5).ravel()),
        Image.Resampling.BILINEAR,
    )
    if output_size < transform_size:
        picture = picture.resize((output_size, output_size), Image.Resampling.LANCZOS)
    return np.asarray(picture)


def _padded(picture: Image.Image, padding: Padding, side: float) -> Image.Image:
    """The cropped picture mirrored beyond its edges, blurred there, and led towards the median colour."""
    (left, top), (right, bottom) = padding.before, padding.after
    values = np.pad(np.asarray(picture, np.float32), ((top, bottom), (left, right), (0, 0)), mode="reflect")
    y, x = np.ogrid[: values.shape[0], : values.shape[1]]
    outside = how_far_outside(x, y, padding)[:, :, None]
    blurred = gaussian_filter(values, [side * BLUR, side * BLUR, 0])
    values += (blurred - values) * np.clip(3 * outside + 1, 0, 1)
    values += (np.median(values, axis=(0, 1)) - values) * np.clip(outside, 0, 1)
    return Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
