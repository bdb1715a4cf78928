# SPDX-License-Identifier: GPL-3.0-or-later
"""What a portrait shows beyond the frame's edges, as in the FFHQ data set's crop.

There the frame is mirrored, blurred, and led towards its median colour the farther out one looks; generators
trained on the data set expect just that. The data set's script works at full size; the blur here is made on
a small copy, which looks the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from lifelike.faces import resampling
from lifelike_protocol.messages import Array

BLUR = 0.02
"""Standard deviation of the blur, in sides of the portrait's square."""
LEAST = 0.3
"""The blend reaches at least so many sides beyond the frame."""
SMALL_SIDE = 128
"""Pixels that a side of the portrait's square has in the small copy."""


class Padding(NamedTuple):
    """A frame's part around a portrait, in frame pixels, and how far the blend reaches beyond it."""

    low: Array
    """(2,) int, first column and row."""
    high: Array
    """(2,) int, past the last."""
    before: Array
    """(2,) int, pixels left and above."""
    after: Array
    """(2,) int, pixels right and below."""


def crop_and_padding(quad: Array, side: float, size: tuple[int, int]) -> Padding:
    """The crop around a quad and the padding it needs; all zero where it needs none.

    Args:
        quad: (4, 2) corners, the first pixel's centre at (0, 0).
        side: the quad's side in pixels.
        size: (width, height) of the picture.
    """
    border = max(round(side * 0.1), 3)
    reach_low = np.floor(quad.min(axis=0)).astype(int) - border
    reach_high = np.ceil(quad.max(axis=0)).astype(int) + border
    low, high = np.maximum(reach_low, 0), np.minimum(reach_high, size)
    if (low >= high).any():
        # The quad lies wholly outside: mirror the whole picture.
        low, high = np.zeros(2, int), np.array(size)
    before, after = np.maximum(low - reach_low, 0), np.maximum(reach_high - high, 0)
    if max(before.max(), after.max()) <= border - 4:
        none = np.zeros(2, int)
        return Padding(low, high, none, none)
    least = round(side * LEAST)
    return Padding(low, high, np.maximum(before, least), np.maximum(after, least))


def how_far_outside(x: Array, y: Array, padding: Padding) -> Array:
    """1 at the padding's rim, 0 at the crop's edge, below 0 inside; x and y are indices in the padded crop."""
    width, height = padding.high - padding.low + padding.before + padding.after
    across = np.minimum(x / np.float32(padding.before[0]), (width - 1 - x) / np.float32(padding.after[0]))
    down = np.minimum(y / np.float32(padding.before[1]), (height - 1 - y) / np.float32(padding.after[1]))
    outside: Array = (1.0 - np.minimum(across, down)).astype(np.float32)
    return outside


def blend_outside(portrait: torch.Tensor, pixels: Array, matrix: Array, padding: Padding, side: float) -> torch.Tensor:
    """A mirrored portrait with what lies outside the frame blurred and led towards the median.

    Args:
        portrait: planes sampled from the mirrored crop.
        pixels: (h, w, C), the crop itself.
        matrix: (3, 3), portrait pixels to the crop's pixels.
        padding: of the crop.
        side: the portrait's side in frame pixels.
    """
    shape = portrait.shape[-2:]
    x, y = (values.numpy() for values in resampling.source_positions(matrix, (shape[0], shape[1])))
    outside = how_far_outside(x - 0.5 + padding.before[0], y - 0.5 + padding.before[1], padding)
    if outside.max() <= -1 / 3:
        return portrait
    blurred, median = _blurred(pixels, matrix, padding, side, (shape[0], shape[1]))
    weight = torch.from_numpy(outside)
    portrait = torch.lerp(portrait, blurred, torch.clamp(3 * weight + 1, 0, 1))
    return torch.lerp(portrait, median, torch.clamp(weight, 0, 1))


def _blurred(
    pixels: Array, matrix: Array, padding: Padding, side: float, shape: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """The blurred picture under each portrait pixel (planes), and the padded picture's median (1, C, 1, 1)."""
    planes, inner = resampling.to_planes(pixels), matrix
    if side > SMALL_SIDE:
        planes, inner = resampling.shrunk(planes, matrix, SMALL_SIDE / side)
    factor = np.array([planes.shape[3] / pixels.shape[1], planes.shape[2] / pixels.shape[0]])
    before, after = np.ceil(padding.before * factor).astype(int), np.ceil(padding.after * factor).astype(int)
    values = np.pad(planes[0].numpy(), ((0, 0), (before[1], after[1]), (before[0], after[0])), mode="symmetric")
    sigma = BLUR * side * factor
    soft = gaussian_filter(values, (0, sigma[1], sigma[0]))

    y, x = np.ogrid[: values.shape[1], : values.shape[2]]
    small = Padding(np.zeros(2, int), np.array(planes.shape[:1:-1]), before, after)
    mixed = values + (soft - values) * np.clip(3 * how_far_outside(x, y, small) + 1, 0, 1)
    median = torch.from_numpy(np.median(mixed, axis=(1, 2)))[None, :, None, None]
    grid = resampling.shifted(inner, (-int(before[0]), -int(before[1])))
    return resampling.sample(torch.from_numpy(soft)[None], grid, shape, smooth=True), median
