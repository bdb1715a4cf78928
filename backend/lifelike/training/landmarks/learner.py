# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of the face locator's training: the detector's on frames, the regressor's on crops."""

from __future__ import annotations

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.networks.face_detector import FaceMap
from lifelike.networks.face_locator import FaceLocator
from lifelike.training.landmarks.settings import LandmarkWeights


def focal_loss(heat: Tensor, target: Tensor) -> Tensor:
    """Focal loss of heatmaps (Zhou et al., "Objects as Points", arXiv 1904.07850, eq. 1: exponents 2 and 4).

    Args:
        heat: (N, 1, h, w) logits. target: the same shape, 0…1, 1 at each face's centre.
    """
    score = heat.sigmoid().clamp(1e-4, 1 - 1e-4)
    centres = target > 0.99
    terms = torch.where(centres, (1 - score) ** 2 * score.log(), (1 - target) ** 4 * score**2 * (1 - score).log())
    return -terms.sum() / centres.sum().clamp_min(1)


def shape_loss(shape: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1 of places, sizes and turns near the faces' centres. shape, target: (N, 5, h, w); weight: (N, 1, h, w)."""
    return ((shape - target).abs() * weight).sum() / weight.sum().clamp_min(1)


def points_loss(places: Tensor, target: Tensor, is_face: Tensor) -> Tensor:
    """Mean distance of landmarks (N, 68, 2), half a crop being 1, over the crops with a face (N,)."""
    distance = (places - target).norm(dim=2).mean(1)
    return (distance * is_face).sum() / is_face.sum().clamp_min(1)


class LocatorLearner(nn.Module):
    """The locator with its terms: batches of `DetectorScenes` and `FaceCrops` in, loss out."""

    def __init__(self, locator: FaceLocator, weights: LandmarkWeights) -> None:
        super().__init__()
        self.locator, self.weights = locator, weights

    def forward(
        self,
        frames: Tensor,
        heat: Tensor,
        shape: Tensor,
        weight: Tensor,
        crops: Tensor,
        points: Tensor,
        is_face: Tensor,
        fraction: float,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """What the samplers draw, in their order; the finished ``fraction`` plays no part."""
        found: FaceMap = self.locator.detector(frames.contiguous(memory_format=torch.channels_last))
        places, logits = self.locator.regressor(crops.contiguous(memory_format=torch.channels_last))
        with torch.autocast(frames.device.type, enabled=False):
            terms = {
                "heat": focal_loss(found.heat, heat),
                "shape": shape_loss(found.shape, shape, weight),
                "points": points_loss(places, points, is_face),
                "face": functional.binary_cross_entropy_with_logits(logits, is_face),
            }
            loss = torch.stack([getattr(self.weights, name) * term for name, term in terms.items()]).sum()
        return loss, terms
