# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames and crops made up for the face locator: heads cut out of the training pictures and set before anything.

Points and similarities in the picture plane are complex numbers x + iy, x right, y down.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from torch import Tensor

from lifelike.datasets.pairs import face_masks
from lifelike.networks.face_detector import STRIDE
from lifelike.training.disturbance import add_noise, blur, jitter_colour, random_backdrops, uniform

# Where each landmark goes when the picture is mirrored (iBUG 68).
_JAW_TO_NOSE = [*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31]
_EYES = [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
_MOUTH = [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]
MIRRORED = torch.tensor([*_JAW_TO_NOSE, *_EYES, *_MOUTH])


def mean_face(landmarks: NDArray[np.float32]) -> Tensor:
    """The mean of (N, 68, 2) after centring, scaling and turning each onto the mean: (68, 2), radius 1, upright."""
    points = landmarks[..., 0] + 1j * landmarks[..., 1]
    points = points - points.mean(1, keepdims=True)
    mean = points.mean(0)
    for _ in range(5):
        fitted = points / ((points * mean.conj()).sum(1, keepdims=True) / (np.abs(mean) ** 2).sum())
        mean = fitted.mean(0)
        # Symmetric left to right, so upright by construction.
        mean = 0.5 * (mean - mean[MIRRORED.numpy()].conj())
        mean /= np.sqrt((np.abs(mean) ** 2).mean())
    return torch.from_numpy(np.stack([mean.real, mean.imag], 1).astype(np.float32))


@dataclass
class HeadCutouts:
    """N pictures with outlines, in halving sizes, and where their faces lie.

    levels: tensors (N, 5, R, R) uint8: red, green, blue, the whole head, the face without its rim.
    points: (N, 68) complex, in −1…1 over the picture; empty (N, 0) for things that are no face.
    """

    levels: list[Tensor]
    points: Tensor

    @classmethod
    def from_pictures(
        cls, pictures: NDArray[np.uint8], landmarks: NDArray[np.float32], heads: NDArray[np.uint8]
    ) -> HeadCutouts:
        """From (N, R, R, 3) pictures, landmarks in pixels and head outlines (N, R, R)."""
        size = pictures.shape[1]
        faces = face_masks(landmarks, size, forehead=0.3)
        stacked = np.concatenate([pictures, heads[..., None], faces[..., None]], 3)
        unit = torch.from_numpy(landmarks) * (2 / size) - 1
        return cls(halvings(torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()), torch.view_as_complex(unit))

    @classmethod
    def from_cutouts(cls, pictures: NDArray[np.uint8]) -> HeadCutouts:
        """From (N, R, R, 4) pictures with alpha of things that are no face, such as heads seen from behind."""
        stacked = np.concatenate([pictures, pictures[..., 3:]], 3)
        none = torch.zeros(len(pictures), 0, dtype=torch.complex64)
        return cls(halvings(torch.from_numpy(stacked).permute(0, 3, 1, 2).contiguous()), none)

    def __len__(self) -> int:
        return len(self.points)


def halvings(pictures: Tensor) -> list[Tensor]:
    """(N, C, R, R) uint8 and its halvings down to 32 pixels, each the mean of four."""
    levels = [pictures]
    while levels[-1].shape[-1] > 32:
        parts = [functional.avg_pool2d(part.float(), 2).round().to(torch.uint8) for part in levels[-1].split(64)]
        levels.append(torch.cat(parts))
    return levels


def head_outlines(renders: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What stands before the flat backdrop of render-look pictures: (N, R, R, 3) → (N, R, R), 0…255."""
    size = renders.shape[1]
    outlines = np.empty(renders.shape[:3], np.uint8)
    for index, picture in enumerate(renders):
        # Found on a small copy: ten times as fast, and its softer edge is wanted.
        small = np.asarray(Image.fromarray(picture).resize((96, 96), Image.Resampling.BOX), np.int16)
        corners = np.concatenate([small[:6, :6].reshape(-1, 3), small[:6, -6:].reshape(-1, 3)])
        differs = np.abs(small - np.median(corners, 0)).max(2) > 9
        solid = ndimage.binary_opening(ndimage.binary_fill_holes(ndimage.binary_closing(differs)))
        outline = Image.fromarray(solid.astype(np.uint8) * 255)
        outlines[index] = np.asarray(outline.resize((size, size), Image.Resampling.BILINEAR))
    return outlines


def clutter(canvas: Tensor, most: int = 5) -> Tensor:
    """Random boxes and ellipses of plain or graded colour drawn onto (3, S, S) in place."""
    size = canvas.shape[-1]
    across = torch.arange(size) + 0.5
    for _ in range(int(torch.randint(most + 1, ()))):
        x, y = uniform(2, 0, size).tolist()
        a, b = (uniform(2, 0.03, 0.35) * size).tolist()
        if torch.rand(()) < 0.5:
            inside = (((across - x) / a) ** 2)[None] + (((across - y) / b) ** 2)[:, None] < 1
        else:
            inside = ((across - x).abs() < a)[None] & ((across - y).abs() < b)[:, None]
        # Some are skin-coloured: an arm or a bald patch is no face.
        colour = torch.rand(3) if torch.rand(()) < 0.6 else torch.tensor([0.9, 0.7, 0.58]) * uniform(1, 0.3, 1.0)
        shade = 1 + (across / size - 0.5) * uniform(1, -0.8, 0.8)
        canvas[:, inside] = (colour[:, None, None] * shade[None, None] * torch.ones(size, 1))[:, inside].clamp(0, 1)
    return canvas


def paste(canvas: Tensor, heads: HeadCutouts, index: int, centre: complex, reach: complex, mirror: bool) -> None:
    """Draw one cut-out onto (3, S, S) in place; the picture's own centre goes to ``centre`` and half its side, turned,
    is ``reach`` (complex, canvas pixels)."""
    size = canvas.shape[-1]
    wanted = 2 * abs(reach)
    level = next((part for part in reversed(heads.levels) if part.shape[-1] >= wanted), heads.levels[0])
    inverse = 1 / reach
    # Canvas −1…1 → picture −1…1.
    linear, offset = inverse * size / 2, (size / 2 * (1 + 1j) - centre) * inverse
    sign = -1.0 if mirror else 1.0
    matrix = torch.tensor(
        [[sign * linear.real, -sign * linear.imag, sign * offset.real], [linear.imag, linear.real, offset.imag]],
        dtype=torch.float32,
    )
    grid = functional.affine_grid(matrix[None], [1, 5, size, size], align_corners=False)
    seen = functional.grid_sample(level[index][None].float() / 255, grid, align_corners=False)[0]
    inside = (grid[0].abs().amax(2) < 1).float()
    kind = float(torch.rand(()))
    alpha = seen[3] if kind < 0.55 else seen[4] if kind < 0.7 else inside
    colours = jitter_colour(seen[None, :3], hue=0.04, saturation=0.3, contrast=0.15, brightness=0.15)[0]
    canvas.mul_(1 - alpha).add_(alpha * colours)


class DetectorScenes:
    """Frames with no, one or two faces, and the maps the detector should give."""

    def __init__(self, heads: HeadCutouts, fit: tuple[Tensor, Tensor], others: HeadCutouts | None) -> None:
        self.heads, self.others = heads, others
        self.centre, self.scale = fit  # of each face in its own picture, −1…1

    def draw(self, count: int, size: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Frames (N, 3, S, S) −1…1, heat (N, 1, h, w) 0…1, shape (N, 5, h, w), and its weight (N, 1, h, w)."""
        frames = random_backdrops(count, size)
        cells = size // STRIDE
        heat, weight = torch.zeros(count, 1, cells, cells), torch.zeros(count, 1, cells, cells)
        shape = torch.zeros(count, 5, cells, cells)
        for index in range(count):
            clutter(frames[index])
            placed: list[tuple[complex, float]] = []
            for _ in range(int(torch.multinomial(torch.tensor([0.12, 0.55, 0.33]), 1))):
                self._add_face(frames[index], placed, heat[index, 0], shape[index], weight[index, 0])
            if self.others is not None and torch.rand(()) < 0.25:
                self._add_other(frames[index], placed)
        frames = add_noise(blur(jitter_colour(frames, hue=0.03, saturation=0.2, contrast=0.2), most=1.3))
        return frames * 2 - 1, heat, shape, weight

    def _place(self, size: int, placed: list[tuple[complex, float]]) -> tuple[complex, float] | None:
        """A free spot (centre, face radius) or None when the draw hits another face."""
        radius = math.exp(float(uniform(1, math.log(0.026), math.log(0.31)))) * size
        room = min(1.1 * radius, 0.45 * size)
        centre = complex(*(uniform(2, room, size - room)).tolist())
        if any(abs(centre - other) < 2.4 * (radius + beside) for other, beside in placed):
            return None
        placed.append((centre, radius))
        return placed[-1]

    def _add_face(
        self, frame: Tensor, placed: list[tuple[complex, float]], heat: Tensor, shape: Tensor, weight: Tensor
    ) -> None:
        size = frame.shape[-1]
        spot = self._place(size, placed)
        if spot is None:
            return
        centre, radius = spot
        index, mirror = int(torch.randint(len(self.heads), ())), bool(torch.rand(()) < 0.5)
        turn = float(torch.randn(())) * math.radians(14)
        own_centre, own_scale = complex(self.centre[index]), complex(self.scale[index])
        if mirror:
            own_centre, own_scale = -own_centre.conjugate(), own_scale.conjugate()
        wanted = radius * complex(math.cos(turn), math.sin(turn))
        reach = wanted / own_scale
        paste(frame, self.heads, index, centre - reach * own_centre, reach, mirror)
        if torch.rand(()) < 0.12:
            occlude(frame, centre, radius)
        cell = centre / STRIDE
        steps = torch.arange(heat.shape[0]) + 0.5
        dx, dy = cell.real - steps, cell.imag - steps
        spread = max(0.8, 0.16 * radius / STRIDE)
        bump = torch.exp(-(dx[None] ** 2 + dy[:, None] ** 2) / (2 * spread**2))
        bump = bump / bump.max()
        torch.maximum(heat, bump, out=heat)
        near = bump > 0.6
        values = torch.tensor([0.0, 0.0, math.log(radius), math.cos(turn), math.sin(turn)])
        shape[:, near] = values[:, None]
        shape[0, near], shape[1, near] = dx[None].expand_as(near)[near], dy[:, None].expand_as(near)[near]
        weight[near] = 1.0 / near.sum()

    def _add_other(self, frame: Tensor, placed: list[tuple[complex, float]]) -> None:
        spot = self._place(frame.shape[-1], placed)
        if spot is not None and self.others is not None:
            turn = float(torch.randn(())) * 0.2
            reach = 2.2 * spot[1] * complex(math.cos(turn), math.sin(turn))
            paste(frame, self.others, int(torch.randint(len(self.others), ())), spot[0], reach, False)


def occlude(frame: Tensor, centre: complex, radius: float) -> None:
    """A box of one colour over a part of a face, in place."""
    away = complex(*uniform(2, -1.8, 1.8).tolist()) * radius
    half_width, half_height = (uniform(2, 0.2, 1.0) * radius).tolist()
    x, y = centre.real + away.real, centre.imag + away.imag
    columns = slice(max(0, int(x - half_width)), max(0, int(x + half_width)))
    rows = slice(max(0, int(y - half_height)), max(0, int(y + half_height)))
    frame[:, rows, columns] = torch.rand(3, 1, 1)
