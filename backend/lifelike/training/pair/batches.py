# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches for the generator pair: pairs, and renders without a photo look."""

from __future__ import annotations

import numpy as np
import torch
from attrs import frozen
from torch import Tensor

from lifelike.datasets.pairs import LabelledFaces, Pairs
from lifelike.training.pair.augmentation import paired_jitter
from lifelike.training.pair.face_region import face_regions
from lifelike.training.random_pictures import signed


@frozen
class Batch:
    """render, photo: [N3RR] −1…1; region: [N1RR] 0…1; paired: [N], 0 where `photo` is not the truth of `render`."""

    render: Tensor
    photo: Tensor
    region: Tensor
    paired: Tensor


class TrainingData:
    """Pairs, and renders without a photo look, as random batches (drawn from torch's default generator)."""

    def __init__(self, pairs: Pairs, alone: LabelledFaces | None) -> None:
        resolution = pairs.resolution
        self.pairs, self.alone = pairs, alone
        self.regions = face_regions(pairs.landmarks, resolution)
        self.alone_regions = None if alone is None else face_regions(alone.landmarks, resolution)

    def draw(self, count: int, share_alone: float, device: torch.device) -> Batch:
        """`count` jittered pictures; `share_alone` of them renders without a truth, beside some other photo."""
        chosen = torch.randint(len(self.pairs), (count,)).numpy()
        render, photo, region = self.pairs.render[chosen], self.pairs.photo[chosen], self.regions[chosen]
        paired = torch.ones(count)
        if self.alone is not None and self.alone_regions is not None:
            lone = (torch.rand(count) < share_alone).numpy()
            other = torch.randint(len(self.alone.pictures), (count,)).numpy()
            render = np.where(lone[:, None, None, None], self.alone.pictures[other], render)
            region = np.where(lone[:, None, None], self.alone_regions[other], region)
            paired = torch.from_numpy(1.0 - lone.astype(np.float32))
        mask = torch.from_numpy(region)[:, None].float() / 255
        looks = [signed(torch.from_numpy(pixels).to(device)) for pixels in (render, photo)]
        x, y, mask = paired_jitter([*looks, mask.to(device)])
        return Batch(x, y, mask, paired.to(device))
