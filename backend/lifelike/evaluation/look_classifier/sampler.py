# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches for the look classifier, with nothing but the face's rendering to tell the looks apart.

What a transfer must change is skin, eyes and hair, so shortcuts are taken away from both classes alike: blur, noise,
re-sampling, JPEG, colour, brightness and gamma are drawn at random, and the background is taken from either look or
from neither.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lifelike.datasets.pairs import Pairs, face_masks
from lifelike.networks.look_classifier import LookClassifier
from lifelike.training.disturbance import (
    add_noise,
    blur,
    box_matrix,
    coarsen,
    jitter_colour,
    random_backdrops,
    similarity_matrices,
    soften,
    warp,
)


class LookSampler:
    """Draws training batches, half of each look, with nothing but the face's rendering to tell them apart."""

    def __init__(self, pairs: Pairs) -> None:
        looks = [torch.from_numpy(look).permute(0, 3, 1, 2).contiguous() for look in (pairs.render, pairs.photo)]
        self.looks = torch.stack(looks)  # (2, N, 3, R, R)
        outline = torch.from_numpy(face_masks(pairs.landmarks, pairs.resolution, forehead=0.35))[:, None]
        self.masks = torch.cat([soften(part) for part in torch.split(outline, 64)])

    def draw(self, count: int, network: LookClassifier, force: float = 1.0) -> tuple[Tensor, Tensor]:
        """Inner faces (count, 3, S, S) −1…1 and labels (count,), 1: photo look; ``force`` of disturbances 0…1."""
        size = network.settings["input_size"]
        chosen, look = torch.randint(self.looks.shape[1], (count,)), torch.arange(count) % 2
        behind = torch.randint(2, (count,))
        stacked = torch.cat([self.looks[look, chosen], self.looks[behind, chosen], self.masks[chosen]], 1)
        matrices = similarity_matrices(count, 8, (0.9, 1.15), 0.06) @ box_matrix(network.settings["box"])
        seen = warp(stacked.float() / 255, matrices, size)
        backdrops = torch.where(torch.rand(count, 1, 1, 1) < 0.35, random_backdrops(count, size), seen[:, 3:6])
        # The mask is used on every picture, also where both sides are the same look, so that its edge tells nothing.
        pictures = seen[:, 6:] * seen[:, :3] + (1 - seen[:, 6:]) * backdrops
        pictures = jitter_colour(pictures, 0.04 * force, 0.35 * force, 0.25 * force, 0.2 * force)
        pictures = coarsen(blur(pictures, most=1.5, share=0.5 * force), share=0.4 * force, least=40)
        return compress(add_noise(pictures, most=0.06 * force), share=0.4 * force) * 2 - 1, look.float()


def compress(pictures: Tensor, share: float = 0.4) -> Tensor:
    """JPEG of quality 40…95 on this share of (N, 3, H, W) pictures 0…1."""
    result = pictures.clone()
    for index in torch.nonzero(torch.rand(len(pictures)) < share).flatten().tolist():
        data = io.BytesIO()
        levels = (pictures[index] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(levels).save(data, "JPEG", quality=int(torch.randint(40, 96, ())))
        result[index] = torch.from_numpy(np.array(Image.open(data))).permute(2, 0, 1).float() / 255
    return result
