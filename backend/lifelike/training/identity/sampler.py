# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches for the identity network: look, light, background and camera must not carry identity."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lifelike.datasets.pairs import face_masks
from lifelike.training.disturbance import (
    add_noise,
    blur,
    box_matrix,
    jitter_colour,
    random_backdrops,
    similarity_matrices,
    soften,
    warp,
)
from lifelike.training.identity.settings import DisturbanceSettings
from lifelike.training.portraits import Portraits


class FaceSampler:
    """Draws augmented training batches, all looks of a person alike.

    Pictures without landmarks keep their background.
    """

    def __init__(self, portraits: Portraits, disturbance: DisturbanceSettings) -> None:
        self.disturbance = disturbance
        self.pictures = torch.tensor(np.asarray(portraits.pictures)).permute(0, 3, 1, 2)
        known, resolution = portraits.labelled, portraits.pictures.shape[1]
        outlines = np.full((len(portraits), resolution, resolution), 255, np.uint8)
        outlines[known] = face_masks(portraits.landmarks[known], resolution, forehead=0.3)
        self.masks = torch.cat([soften(part) for part in torch.from_numpy(outlines)[:, None].split(64)])
        persons, classes = np.unique(portraits.person, return_inverse=True)
        self.classes = torch.from_numpy(classes.astype(np.int64))
        self.people = len(persons)

    def draw(self, count: int, box: Sequence[float], size: int) -> tuple[Tensor, Tensor]:
        """Inner faces (count, 3, size, size) −1…1, cut at about the network's box, and classes (count,)."""
        how = self.disturbance
        chosen = torch.randint(len(self.pictures), (count,))
        scale = (1 - how.size, 1 + how.size)
        matrices = similarity_matrices(count, how.turn, scale, how.shift) @ box_matrix(box)
        seen = warp(torch.cat([self.pictures[chosen], self.masks[chosen]], 1).float() / 255, matrices, size)
        replaced = (torch.rand(count, 1, 1, 1) < how.backdrop).float()
        opacity = 1 - replaced * (1 - seen[:, 3:])
        pictures = opacity * seen[:, :3] + (1 - opacity) * random_backdrops(count, size)
        pictures = jitter_colour(pictures, hue=how.hue, brightness=how.brightness)
        return add_noise(blur(pictures, most=how.blur)) * 2 - 1, self.classes[chosen]
