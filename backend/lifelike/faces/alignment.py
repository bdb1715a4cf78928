# SPDX-License-Identifier: GPL-3.0-or-later
"""From a frame to the aligned square portrait the generators know, and back.

A portrait is an oriented square of the frame placed by the eyes and the mouth as in the FFHQ data set
(Karras et al. 2019, section 4 and its published crop). Every coordinate here is in pixels, x right, y down,
the centre of the first pixel at (0.5, 0.5), for portraits and frames alike, so a picture of n pixels spans 0…n.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike

from lifelike.faces import resampling
from lifelike.faces.padding import blend_outside, crop_and_padding
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1), half open, in frame pixels."""


class Alignment(NamedTuple):
    """portrait: (size, size, 3) float32 in the frame's range. transform: (3, 3) float64, portrait → frame."""

    portrait: Array
    transform: Array


def portrait_transform(landmarks: ArrayLike, size: int) -> Array:
    """Where a portrait of `size` pixels lies in the frame, by FFHQ's rule.

    Args:
        landmarks: (68, 2) in frame pixels, iBUG order; only the eyes (36…47) and the mouth corners (48, 54) count.
        size: pixels a side of the portrait.

    Returns:
        (3, 3) float64, a similarity that takes (x, y, 1) in portrait pixels to frame pixels.

    Raises:
        LifelikeError: INVALID_SETTING where the landmarks have another shape, are not finite or fall together.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"A face's landmarks must be 68 finite points, not an array of shape {points.shape}.",
            "Send 68 (x, y) pairs in iBUG order, or none at all.",
        )
    eye_left, eye_right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    eyes = (eye_left + eye_right) / 2
    across = eye_right - eye_left
    down = (points[48] + points[54]) / 2 - eyes
    # The portrait's own x axis: halfway between the line of the eyes and the normal of the line to the mouth.
    axis = across + np.array([down[1], -down[0]])
    length = float(np.hypot(*axis))
    half = max(2.0 * float(np.hypot(*across)), 1.8 * float(np.hypot(*down)))
    if length < 1e-6 or half < 1e-3:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            "A face's landmarks fall together in one point.",
            "Check the landmarks sent with the frame.",
        )
    x = axis / length * half
    y = np.array([-x[1], x[0]])
    corner = eyes + 0.1 * down - x - y
    transform = np.eye(3)
    transform[:2, 0], transform[:2, 1], transform[:2, 2] = 2 * x / size, 2 * y / size, corner
    return transform


def transform_points(transform: ArrayLike, points: ArrayLike) -> Array:
    """(N, 2) points through a (3, 3) transform, float64. Use `numpy.linalg.inv(transform)` for the way back."""
    matrix = np.asarray(transform, np.float64)
    return np.asarray(points, np.float64) @ matrix[:2, :2].T + matrix[:2, 2]


def scale_of(transform: ArrayLike) -> float:
    """Frame pixels per portrait pixel."""
    return float(np.hypot(*np.asarray(transform, np.float64)[:2, 0]))


def take_portrait(pixels: Array, transform: ArrayLike, size: int, *, blend_beyond: bool = True) -> Array:
    """The portrait a transform describes, antialiased where it is smaller than in the frame.

    What lies beyond the frame's edges is as in the FFHQ data set: mirrored, blurred, led towards the median.

    Args:
        pixels: (H, W, C) or (H, W), float32 or uint8.
        transform: (3, 3), portrait pixels of a `size` portrait to frame pixels.
        size: pixels a side.
        blend_beyond: False only mirrors beyond the edges, which is right for masks.

    Returns:
        (size, size, C) or (size, size) float32, in the frame's range (sharpening may pass it by a little).
    """
    whole = np.asarray(transform, np.float64)
    quad = transform_points(whole, [[0, 0], [0, size], [size, size], [size, 0]]) - 0.5
    side = scale_of(whole) * size
    padding = crop_and_padding(quad, side, (pixels.shape[1], pixels.shape[0]))
    (x0, y0), (x1, y1) = padding.low, padding.high
    crop, to_crop = pixels[y0:y1, x0:x1], resampling.shifted(whole, (x0, y0))

    planes, origin = resampling.planes_around(crop, resampling.bounds(to_crop, size, size))
    matrix = resampling.shifted(to_crop, origin)
    # Bring the frame to at most two pixels a portrait pixel, sample at twice the portrait's size, halve.
    if scale_of(matrix) > 2.0:
        planes, matrix = resampling.shrunk(planes, matrix, 2.0 / scale_of(matrix))
    oversampling = 1 if scale_of(matrix) <= 1.0 else 2
    samples = resampling.sample(
        planes, resampling.finer(matrix, oversampling), (size * oversampling, size * oversampling), smooth=False
    )
    portrait = resampling.resized(samples, (size, size))
    if blend_beyond and padding.before.any():
        portrait = blend_outside(portrait, crop, to_crop, padding, side)
    return resampling.to_pixels(portrait, like=pixels)


def align(pixels: Array, landmarks: ArrayLike, size: int) -> Alignment:
    """The aligned portrait of one face, fast and in floating point.

    The same crop as `ffhq.align_ffhq` without its 4096 pixel intermediate and its rounding to 8 bits.

    Args:
        pixels: (H, W, 3) float32 or uint8.
        landmarks: (68, 2) in frame pixels.
        size: pixels a side of the portrait.

    Returns:
        The portrait, and the transform it was taken with: `portrait_transform`, moved like the data set's script
        moves it where a portrait pixel is 4 frame pixels or more (by at most 1/4 of a portrait pixel).

    Raises:
        LifelikeError: as `portrait_transform`.
    """
    transform = portrait_transform(landmarks, size)
    # The script shrinks by a whole number first and then divides positions that count from pixel centres.
    transform[:2, 2] += (max(math.floor(scale_of(transform) / 2), 1) - 1) / 2
    return Alignment(take_portrait(pixels, transform, size), transform)


def touched_box(transform: ArrayLike, size: int, frame_shape: tuple[int, ...]) -> Box:
    """The part of a frame (height, width, …) that a portrait of `size` pixels covers; (0, 0, 0, 0) if none."""
    x0, y0, x1, y1 = resampling.bounds(np.asarray(transform, np.float64), size, size)
    height, width = frame_shape[:2]
    box = (max(x0, 0), max(y0, 0), min(x1, width), min(y1, height))
    return box if box[0] < box[2] and box[1] < box[3] else (0, 0, 0, 0)


def put_back(
    portrait_values: Array, transform: ArrayLike, frame_shape: tuple[int, ...], within: Box | None = None
) -> tuple[Array, Box]:
    """Portrait values at the frame's own pixels: the inverse of `align`.

    Bicubic where the frame is finer than the portrait, antialiased where it is coarser.

    Args:
        portrait_values: (size, size, C) float32, any range.
        transform: (3, 3), portrait pixels to frame pixels.
        frame_shape: (height, width, …) of the frame.
        within: only this part of the frame is wanted.

    Returns:
        (h, w, C) float32 and the box of the frame they belong to. Pixels whose centre lies outside the portrait
        are 0.
    """
    size = portrait_values.shape[0]
    box = touched_box(transform, size, frame_shape)
    if within is not None:
        box = (max(box[0], within[0]), max(box[1], within[1]), min(box[2], within[2]), min(box[3], within[3]))
    if box[0] >= box[2] or box[1] >= box[3]:
        return np.zeros((0, 0, *portrait_values.shape[2:]), np.float32), (0, 0, 0, 0)
    inverse = np.linalg.inv(np.asarray(transform, np.float64))
    inverse[:2, 2] += inverse[:2, :2] @ np.array(box[:2], np.float64)
    planes = resampling.to_planes(portrait_values)
    if scale_of(inverse) > 1.0:
        planes, inverse = resampling.shrunk(planes, inverse, 1.0 / scale_of(inverse))
    width, height = box[2] - box[0], box[3] - box[1]
    samples = resampling.sample(planes, inverse, (height, width), smooth=True)
    inside = resampling.inside(inverse, planes.shape, (height, width))
    return resampling.to_pixels(torch.where(inside, samples, 0.0), like=portrait_values), box
