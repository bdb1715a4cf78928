# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling a picture on a turned and scaled pixel grid, with torch on the CPU.

Matrices are (3, 3) float64 similarities from target to source pixels; pixel centres lie at half integers.
Planes are (1, C, H, W) float32.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from lifelike_protocol.messages import Array

MARGIN = 4
"""Source pixels kept around what is sampled, so that filters see no false edge."""


def to_planes(pixels: Array) -> torch.Tensor:
    """(H, W, C) or (H, W) → planes; uint8 keeps its 0…255."""
    stacked = pixels[:, :, None] if pixels.ndim == 2 else pixels
    ordered = np.ascontiguousarray(np.moveaxis(stacked, 2, 0))
    return torch.from_numpy(ordered.astype(np.float32, copy=False))[None]


def to_pixels(planes: torch.Tensor, like: Array) -> Array:
    """Planes → (H, W, C) float32, or (H, W) where `like` has no channels."""
    values = planes[0].permute(1, 2, 0).contiguous().numpy()
    return values[:, :, 0] if like.ndim == 2 else values


def bounds(matrix: Array, width: float, height: float) -> tuple[int, int, int, int]:
    """The whole source pixels (x0, y0, x1, y1) that a target of this size touches."""
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64) @ matrix[:2].T
    low, high = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def planes_around(pixels: Array, box: tuple[int, int, int, int]) -> tuple[torch.Tensor, tuple[int, int]]:
    """The planes of a box of a picture, and their origin in it.

    Beyond the picture's edges it is mirrored without repeating the edge pixel, as often as need be.
    """
    x0, y0, x1, y1 = box[0] - MARGIN, box[1] - MARGIN, box[2] + MARGIN, box[3] + MARGIN
    height, width = pixels.shape[:2]
    if x0 >= 0 and y0 >= 0 and x1 <= width and y1 <= height:
        return to_planes(pixels[y0:y1, x0:x1]), (x0, y0)
    rows, columns = _mirrored(y0, y1, height), _mirrored(x0, x1, width)
    return to_planes(pixels[rows[:, None], columns[None, :]]), (x0, y0)


def _mirrored(start: int, stop: int, length: int) -> Array:
    """Indices start…stop folded into 0…length-1: …2 1 0 1 2…"""
    if length == 1:
        return np.zeros(stop - start, np.int64)
    period = 2 * (length - 1)
    index = np.arange(start, stop) % period
    return np.minimum(index, period - index)


def shifted(matrix: Array, origin: tuple[int, int]) -> Array:
    """The same grid over a source that begins at `origin`."""
    moved = matrix.copy()
    moved[:2, 2] -= origin
    return moved


def finer(matrix: Array, factor: int) -> Array:
    """The same grid with `factor` times as many target pixels a side."""
    return matrix @ np.diag([1.0 / factor, 1.0 / factor, 1.0])


def shrunk(planes: torch.Tensor, matrix: Array, factor: float) -> tuple[torch.Tensor, Array]:
    """A source made smaller by about `factor` < 1, antialiased, and the grid over it."""
    height, width = planes.shape[-2:]
    new_height, new_width = max(1, math.ceil(height * factor)), max(1, math.ceil(width * factor))
    return (
        resized(planes, (new_height, new_width)),
        np.diag([new_width / width, new_height / height, 1.0]) @ matrix,
    )


def resized(planes: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    """Planes at another (height, width), antialiased bicubic."""
    if tuple(planes.shape[-2:]) == shape:
        return planes
    return F.interpolate(planes, size=shape, mode="bicubic", antialias=True, align_corners=False)


def source_positions(matrix: Array, shape: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Source x and y, each (height, width) float32, of every target pixel's centre."""
    x = torch.arange(shape[1], dtype=torch.float64) + 0.5
    y = torch.arange(shape[0], dtype=torch.float64)[:, None] + 0.5
    (a, b, c), (d, e, f) = matrix[:2].tolist()
    # Rows and columns are summed in single precision: 16384 pixels leave 1/1000 of a pixel.
    return (a * x).float() + (b * y + c).float(), (d * x).float() + (e * y + f).float()


def sample(planes: torch.Tensor, matrix: Array, shape: tuple[int, int], *, smooth: bool) -> torch.Tensor:
    """Planes on a target grid of (height, width): bicubic where `smooth`, else bilinear; edges are held."""
    height, width = planes.shape[-2:]
    # grid_sample wants -1…1 from edge to edge.
    normalised = np.diag([2.0 / width, 2.0 / height, 1.0]) @ matrix
    normalised[:2, 2] -= 1.0
    grid = torch.empty((1, *shape, 2), dtype=torch.float32)
    grid[0, :, :, 0], grid[0, :, :, 1] = source_positions(normalised, shape)
    mode = "bicubic" if smooth else "bilinear"
    return F.grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False)


def inside(matrix: Array, source_shape: torch.Size, shape: tuple[int, int]) -> torch.Tensor:
    """(height, width) bool: which target pixels have their centre inside the source."""
    x, y = source_positions(matrix, shape)
    return (x >= 0) & (x <= source_shape[-1]) & (y >= 0) & (y <= source_shape[-2])
