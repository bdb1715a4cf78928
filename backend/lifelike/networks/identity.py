# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the picture: a small identity network.

A plain residual network with an L2-normalised embedding, trained with the ArcFace loss (Deng et al., "ArcFace: Additive
Angular Margin Loss for Deep Face Recognition", CVPR 2019) on the identities of the paired heads. It stands where the
method's published relatives use ArcFace IR-SE50, whose weights are not ours to ship. It knows synthetic heads only.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.networks.inner_face import INNER_FACE, inner_face
from lifelike.networks.residual import convolution, stages

DEFAULT_SETTINGS: dict[str, Any] = {
    "input_size": 72,
    "box": list(INNER_FACE),
    "stem": 24,
    "widths": [24, 48, 96, 128],
    "blocks": [1, 2, 2, 1],
    "embedding": 128,
}


class IdentityNetwork(nn.Module):
    """Portraits → embeddings; the cosine of two is their identity similarity.

    Args:
        settings: a plain dictionary overriding `DEFAULT_SETTINGS`; kept whole as ``settings``.
    """

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.settings = {**DEFAULT_SETTINGS, **(settings or {})}
        widths = list(self.settings["widths"])
        size = self.settings["input_size"]
        self.stem = convolution(3, self.settings["stem"], stride=2)
        self.stages = stages(self.settings["stem"], widths, list(self.settings["blocks"]))
        # Where something is on an aligned face says who it is, so the map is flattened and not averaged.
        side = -(-size // 2 ** len(widths))
        self.narrow = convolution(widths[-1], 32, size=1)
        self.embed = nn.Linear(32 * side * side, self.settings["embedding"], bias=False)
        self.scale = nn.BatchNorm1d(self.settings["embedding"])

    def crop(self, portraits: Tensor) -> Tensor:
        """The inner face (N, 3, S, S) of FFHQ-aligned portraits (N, 3, R, R); hair and background mostly left out."""
        return inner_face(portraits, self.settings["box"], self.settings["input_size"])

    def forward(self, portraits: Tensor) -> Tensor:
        """(N, 3, R, R) float, −1…1, FFHQ-aligned, any R → (N, embedding) of length 1."""
        return functional.normalize(self.features(self.crop(portraits)).float(), dim=1)

    def features(self, crops: Tensor) -> Tensor:
        """Inner faces (N, 3, S, S) as `crop` gives them → embeddings (N, embedding) before normalisation."""
        narrowed = self.narrow(self.stages(self.stem(crops)))
        return self.scale(self.embed(narrowed.flatten(1)))

    @torch.no_grad()
    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Cosine of each pair of portraits: (N, 3, R, R) twice → (N,) −1…1."""
        return (self(first) * self(second)).sum(1)
