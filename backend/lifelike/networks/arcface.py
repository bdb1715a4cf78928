# SPDX-License-Identifier: GPL-3.0-or-later
"""ArcFace IR-SE50: the published recogniser by which the method's relatives measure who is in a picture.

Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition" (arXiv 1801.07698). Tensors are named as
in InsightFace_Pytorch's published file; `tests/backend/test_published_networks.py` holds the network to the outputs of
its code. The crop is pSp's (arXiv 2008.00951, its published identity loss).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lifelike.networks.ir_se import BLOCKS, WIDTHS, InputLayer, body

ARCHITECTURE = "ir_se50"
ARCFACE_SETTINGS: dict[str, Any] = {
    "architecture": ARCHITECTURE,
    "widths": list(WIDTHS),
    "blocks": list(BLOCKS),
    "embedding": 512,
}
PORTRAIT = 256
ROWS, COLUMNS = slice(35, 223), slice(32, 220)
"""Where on an FFHQ-aligned portrait of 256 pixels the face is that this network was trained on."""
SIDE = 112


class ArcFace(nn.Module):
    """Portraits → embeddings; the cosine of two is their identity similarity. Does what `IdentityNetwork` does.

    Args:
        settings: a plain dictionary overriding `ARCFACE_SETTINGS`; kept whole as ``settings``.
    """

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.settings = {**ARCFACE_SETTINGS, **(settings or {})}
        widths, embedding = self.settings["widths"], self.settings["embedding"]
        self.input_layer = InputLayer(widths[0])
        self.body = body(widths, self.settings["blocks"])
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(widths[-1]),
            nn.Dropout(0.4),  # the published one's; nothing in evaluation mode, but it counts in the names
            nn.Flatten(),
            nn.Linear(widths[-1] * (SIDE // 16) ** 2, embedding),
            nn.BatchNorm1d(embedding),
        )

    @property
    def stem(self) -> nn.Module:
        """What comes before the residual units."""
        return self.input_layer

    @property
    def stages(self) -> nn.Sequential:
        """The residual units."""
        return self.body

    def crop(self, portraits: Tensor) -> Tensor:
        """The face (N, 3, 112, 112) of FFHQ-aligned portraits (N, 3, R, R), any R."""
        if portraits.shape[-1] > PORTRAIT:
            portraits = F.adaptive_avg_pool2d(portraits, PORTRAIT)
        elif portraits.shape[-1] < PORTRAIT:
            portraits = F.interpolate(portraits, (PORTRAIT, PORTRAIT), mode="bilinear", align_corners=False)
        return F.adaptive_avg_pool2d(portraits[..., ROWS, COLUMNS], SIDE)

    def forward(self, portraits: Tensor) -> Tensor:
        """(N, 3, R, R) float, −1…1, FFHQ-aligned, any R → (N, embedding) of length 1."""
        return F.normalize(self.features(self.crop(portraits)).float(), dim=1)

    def features(self, crops: Tensor) -> Tensor:
        """Faces (N, 3, 112, 112) as `crop` gives them → embeddings (N, embedding) before normalisation."""
        embeddings: Tensor = self.output_layer(self.body(self.input_layer(crops)))
        return embeddings

    @torch.no_grad()
    def similarity(self, first: Tensor, second: Tensor) -> Tensor:
        """Cosine of each pair of portraits: (N, 3, R, R) twice → (N,) −1…1."""
        return (self(first) * self(second)).sum(1)
