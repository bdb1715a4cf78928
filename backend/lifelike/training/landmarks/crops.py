# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops about single faces, roughly upright, for the landmark regressor; some hold no face."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from lifelike.training.disturbance import add_noise, blur, coarsen, jitter_colour, random_backdrops, uniform, warp
from lifelike.training.landmarks.scenes import MIRRORED, HeadCutouts, clutter, occlude


class FaceCrops:
    """Draws batches as the regressor sees them.

    Args:
        heads: where the faces come from. fit: centre and scale (N,) complex of each face in its picture (−1…1).
        others: things that are no face, or None.
        margin: half the crop's side in face radii.
    """

    def __init__(
        self, heads: HeadCutouts, fit: tuple[Tensor, Tensor], others: HeadCutouts | None, margin: float
    ) -> None:
        self.heads, self.others, self.margin = heads, others, margin
        self.centre, self.scale = fit
        # About one source pixel to a crop pixel.
        self.level = next((part for part in reversed(heads.levels) if part.shape[-1] >= 128), heads.levels[0])

    def draw(self, count: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (N, 3, S, S) −1…1, landmarks (N, 68, 2) in −1…1 of the crop, and whether it is a face (N,) 0 or 1."""
        chosen = torch.randint(len(self.heads), (count,))
        centre, reach, is_face = self._frames(chosen)
        seen = warp(self.level[chosen].float() / 255, matrices(centre, reach), size)
        # Outside its own picture there is nothing to see, so a backdrop takes over.
        inside = (warp(torch.ones(count, 1, 8, 8), matrices(centre, reach), size) > 0.5).float()
        kind = torch.rand(count, 1, 1, 1)
        alpha = torch.where(kind < 0.4, seen[:, 3:4], torch.where(kind < 0.5, seen[:, 4:5], inside))
        pictures = alpha * seen[:, :3] + (1 - alpha) * self._backdrops(count, size)
        for index in range(count):
            if torch.rand(()) < 0.2:
                occlude(pictures[index], complex(size / 2, size / 2), size / (2 * self.margin))
        self._put_others(pictures, is_face)
        pictures = coarsen(add_noise(blur(jitter_colour(pictures, hue=0.06, brightness=0.2), most=1.8)))
        points = (self.heads.points[chosen] - centre[:, None]) / reach[:, None]
        mirror = torch.rand(count) < 0.5
        pictures = torch.where(mirror[:, None, None, None], pictures.flip(3), pictures)
        points = torch.where(mirror[:, None], -points[:, MIRRORED].conj(), points)
        return pictures * 2 - 1, torch.view_as_real(points), is_face

    def _frames(self, chosen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Centre and reach (N,) complex of each crop: mostly near the face, some too far off to count as one."""
        count = len(chosen)
        rough = (torch.rand(count) < 0.5).float() * 0.75 + 0.25  # a first look, or a second, much nearer one
        zoom = torch.exp(torch.randn(count) * 0.16 * rough)
        angle = torch.randn(count) * math.radians(13) * rough
        shift = torch.complex(torch.randn(count), torch.randn(count)) * 0.2 * rough
        missed = torch.rand(count) < 0.12
        far = torch.polar(uniform(count, 1.5, 3.0), uniform(count, 0, 2 * math.pi))
        shift = torch.where(missed, far, shift)
        zoom = torch.where(missed & (torch.rand(count) < 0.4), zoom * torch.exp(uniform(count, -0.5, 0.9)), zoom)
        too_small = (torch.rand(count) < 0.04) & ~missed
        zoom = torch.where(too_small, uniform(count, 0.25, 0.42), zoom)
        scale = self.scale[chosen]
        reach = scale * torch.polar(zoom, angle) * self.margin
        return self.centre[chosen] + shift * scale, reach, 1.0 - (missed | too_small).float()

    def _backdrops(self, count: int, size: int) -> Tensor:
        return torch.stack([clutter(backdrop, 3) for backdrop in random_backdrops(count, size)])

    def _put_others(self, pictures: Tensor, is_face: Tensor) -> None:
        """Replace some crops by things that are no face."""
        count, _, size, _ = pictures.shape
        for index in torch.nonzero(torch.rand(count) < 0.12).flatten().tolist():
            is_face[index] = 0
            pictures[index] = self._backdrops(1, size)[0]
            if self.others is not None and torch.rand(()) < 0.75:
                which = torch.randint(len(self.others), (1,))
                reach = torch.polar(uniform(1, 0.45, 1.1), torch.randn(1) * 0.3)
                shift = torch.complex(*(torch.randn(2, 1) * 0.15))
                seen = warp(self.others.levels[0][which].float() / 255, matrices(shift, reach), size)[0]
                pictures[index] = seen[3:4] * seen[:3] + (1 - seen[3:4]) * pictures[index]


def matrices(centre: Tensor, reach: Tensor) -> Tensor:
    """(N, 2, 3) for `warp`: crop −1…1 → picture −1…1, for crops about centre (N,) with half sides reach (N,)."""
    rows = torch.stack([reach.real, -reach.imag, centre.real, reach.imag, reach.real, centre.imag], 1)
    return rows.view(-1, 2, 3)
