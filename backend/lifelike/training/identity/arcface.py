# SPDX-License-Identifier: GPL-3.0-or-later
"""The ArcFace loss: training identities as directions, each embedding pulled to its own by a margin."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.networks.identity import IdentityNetwork


class ArcFace(nn.Module):
    """Classes as unit vectors; the right one's angle is enlarged before the softmax (Deng et al., CVPR 2019, eq. 3)."""

    def __init__(self, classes: int, embedding: int, scale: float = 20.0, margin: float = 0.35) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, embedding))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, classes: Tensor, share: float = 1.0) -> Tensor:
        """Mean loss of (N, D) unit embeddings with classes (N,); ``share`` of the margin is applied."""
        cosines = functional.linear(embeddings, functional.normalize(self.centres, dim=1)).clamp(-0.9999, 0.9999)
        right = cosines.gather(1, classes[:, None])
        margin = self.margin * share
        enlarged = right * math.cos(margin) - (1 - right**2).sqrt() * math.sin(margin)
        enlarged = torch.where(right > -math.cos(margin), enlarged, right - margin * math.sin(margin))
        logits = self.scale * cosines.scatter(1, classes[:, None], enlarged)
        return functional.cross_entropy(logits, classes)


class ArcFaceLearner(nn.Module):
    """The network with its classes: inner faces in, loss out."""

    def __init__(self, network: IdentityNetwork, arcface: ArcFace, margin_from: float, margin_over: float) -> None:
        super().__init__()
        self.network, self.arcface = network, arcface
        self.margin_from, self.margin_over = margin_from, margin_over

    def forward(self, crops: Tensor, classes: Tensor, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Inner faces (N, 3, S, S) −1…1 with classes (N,); the margin grows with the finished ``fraction``."""
        features = self.network.features(crops.contiguous(memory_format=torch.channels_last))
        share = min(max(fraction - self.margin_from, 0.0) / self.margin_over, 1.0)
        with torch.autocast(crops.device.type, enabled=False):
            embeddings = functional.normalize(features.float(), dim=1)
            loss = self.arcface(embeddings, classes, share)
            nearest = functional.linear(embeddings, functional.normalize(self.arcface.centres, dim=1)).argmax(1)
        return loss, {"recognised": (nearest == classes).float().mean()}
