# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured of a face before it is kept: size, turn, how much is cut off, neighbours, blur."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from attrs import frozen
from skimage.measure import blur_effect

from lifelike.datasets.preparation.thresholds import Reason, Thresholds
from lifelike.faces.alignment import portrait_transform, scale_of, take_portrait, transform_points
from lifelike_protocol.messages import Array

COMMON_SIDE = 256
"""Pixels a side at which blur is measured and pictures are compared, whatever the data set's resolution; less only
where that is less."""
NOSE_DEPTH = 0.87
"""How far the tip of the nose stands before the eyes' outer corners, in halves of the distance between those: least
squares over the 921 shots of the paired heads (yaw within 30°; error of the yaw then 2.5° root mean square)."""
GRID = 32
"""Points a side of the portrait's square that are looked up for being outside."""
BLUR_WINDOW = 3
"""Of `skimage.measure.blur_effect`: its least, which tells half a pixel's blur from one; its default of 11 does not."""


@frozen
class FaceMeasures:
    """Measures of one face; see `Thresholds` for what each means.

    side: pixels of the source. yaw: degrees, positive: the face points to the picture's left edge. blur is 0 where
    it was not measured because something else was wrong already.
    """

    side: float
    yaw: float
    outside: float
    shared: float
    blur: float = 0.0


def measure_place(landmarks: Array, others: Sequence[Array], size: tuple[int, int]) -> FaceMeasures:
    """What the landmarks tell.

    Args:
        landmarks: (68, 2) in source pixels. others: of the other faces in the picture.
        size: (width, height) of the picture.
    """
    square = portrait_transform(landmarks, 1)
    return FaceMeasures(
        side=scale_of(square),
        yaw=yaw_of(landmarks),
        outside=share_outside(square, size),
        shared=max((share_inside(square, other) for other in others), default=0.0),
    )


def yaw_of(landmarks: Array) -> float:
    """Degrees a head is turned, from how far the nose's tip stands off the middle of the eyes, along the eyes' line.

    Reconstructed: weak perspective of a face that is flat but for the nose, so roll and scale do not matter.
    """
    across = landmarks[45] - landmarks[36]
    half = float(np.hypot(*across)) / 2
    if half == 0:
        return 90.0
    off = float((landmarks[30] - (landmarks[36] + landmarks[45]) / 2) @ across) / (2 * half * half)
    return -math.degrees(math.atan(off / NOSE_DEPTH))


def share_outside(square: Array, size: tuple[int, int]) -> float:
    """How much of a portrait's square (a transform of the unit square) lies outside a picture of (width, height)."""
    steps = (np.arange(GRID) + 0.5) / GRID
    x, y = transform_points(square, np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)).T
    inside = (x >= 0) & (x <= size[0]) & (y >= 0) & (y <= size[1])
    return float(1 - inside.mean())


def share_inside(square: Array, landmarks: Array) -> float:
    """How many of a face's landmarks, as a share, lie inside a portrait's square."""
    points = transform_points(np.linalg.inv(square), landmarks)
    return float(((points >= 0) & (points <= 1)).all(axis=1).mean())


def common_portrait(pixels: Array, landmarks: Array, resolution: int) -> Array:
    """The aligned portrait at `COMMON_SIDE`, (S, S, 3) uint8, of a picture (H, W, 3) uint8."""
    side = min(COMMON_SIDE, resolution)
    portrait = take_portrait(pixels, portrait_transform(landmarks, side), side)
    return np.clip(np.rint(portrait), 0, 255).astype(np.uint8)


def blur_of(portrait: Array, landmarks: Array) -> float:
    """Perceptual blur (Crété-Roffet et al. 2007), 0 sharp … 1 blurred, of brows, eyes, nose and mouth.

    Args:
        portrait: from `common_portrait`.
        landmarks: (68, 2) in source pixels.
    """
    side = len(portrait)
    inner = transform_points(np.linalg.inv(portrait_transform(landmarks, side)), landmarks[17:])
    left, top = np.maximum(inner.min(axis=0) - side / 32, 0).astype(int)
    right, bottom = np.minimum(inner.max(axis=0) + side / 32, side).astype(int)
    grey = portrait[top:bottom, left:right].astype(np.float64) @ (0.299, 0.587, 0.114) / 255
    if min(grey.shape) <= 2 * BLUR_WINDOW or float(np.ptp(grey)) < 1 / 255:
        return 1.0  # nothing to see at all
    return float(blur_effect(grey, h_size=BLUR_WINDOW))


def fault_of_place(measures: FaceMeasures, limits: Thresholds, resolution: int) -> tuple[Reason, str] | None:
    """What speaks against a face by its place alone: the reason and the figures for a caption; None for nothing."""
    if measures.shared > limits.most_shared:
        return Reason.TOO_CLOSE, f"{measures.shared:.0%} of another face inside, more than {limits.most_shared:.0%}"
    if measures.outside > limits.most_outside:
        return Reason.CUT_OFF, f"{measures.outside:.0%} outside, more than {limits.most_outside:.0%}"
    if measures.side < limits.least_side * resolution:
        return Reason.TOO_SMALL, f"{measures.side:.0f} pixels, less than {limits.least_side * resolution:.0f}"
    if abs(measures.yaw) > limits.most_yaw:
        return Reason.TURNED_AWAY, f"about {abs(measures.yaw):.0f}°, more than {limits.most_yaw:.0f}°"
    return None


def fault_of_blur(blur: float, limits: Thresholds) -> tuple[Reason, str] | None:
    """As `fault_of_place`, for blur."""
    if blur > limits.most_blur:
        return Reason.BLURRED, f"blur {blur:.3f}, more than {limits.most_blur:.3f}"
    return None
