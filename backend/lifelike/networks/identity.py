# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in the picture: a small identity network.

A convolutional network with an L2-normalised embedding, trained with the ArcFace loss (Deng et al., "ArcFace: Additive
Angular Margin Loss for Deep Face Recognition", CVPR 2019). It stands where the method's published relatives use ArcFace
IR-SE50, whose weights are not ours to ship; the ones shipped know synthetic heads only. There are two architectures, so
that a result can be judged by a network unlike the one it was trained with.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.networks.inner_face import INNER_FACE, inner_face
from lifelike.networks.plain import plain_stages
from lifelike.networks.residual import convolution, stages
from lifelike_protocol.errors import ErrorCode, LifelikeError

RESIDUAL_SETTINGS: dict[str, Any] = {
    "architecture": "residual",
    "input_size": 72,
    "box": list(INNER_FACE),
    "stem": 24,
    "widths": [24, 48, 96, 128],
    "blocks": [1, 2, 2, 1],
    "narrow": 32,
    "embedding": 128,
}
PLAIN_SETTINGS: dict[str, Any] = {
    "architecture": "plain",
    "input_size": 80,
    "box": [0.12, 0.2, 0.88, 0.96],
    "stem": 32,
    "widths": [32, 64, 112, 160],
    "blocks": [1, 2, 2, 2],
    "narrow": 40,
    "embedding": 160,
}
ARCHITECTURES = {"residual": (RESIDUAL_SETTINGS, stages), "plain": (PLAIN_SETTINGS, plain_stages)}
"""The settings each architecture starts from, and what builds its stages."""


class IdentityNetwork(nn.Module):
    """Portraits → embeddings; the cosine of two is their identity similarity.

    Args:
        settings: a plain dictionary overriding those of its ``architecture`` ("residual" where none is named); kept
            whole as ``settings``.

    Raises:
        LifelikeError: INVALID_SETTING for an architecture that is not in `ARCHITECTURES`.
    """

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        given = settings or {}
        name = given.get("architecture", "residual")
        if name not in ARCHITECTURES:
            what = f"There is no identity network of the architecture {name!r}."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, f"Known are: {', '.join(ARCHITECTURES)}.")
        defaults, build = ARCHITECTURES[name]
        self.settings = {**defaults, **given}
        widths, narrow = list(self.settings["widths"]), self.settings["narrow"]
        self.stem = convolution(3, self.settings["stem"], stride=2)
        self.stages = build(self.settings["stem"], widths, list(self.settings["blocks"]))
        # Where something is on an aligned face says who it is, so the map is flattened and not averaged.
        side = -(-self.settings["input_size"] // 2 ** len(widths))
        self.narrow = convolution(widths[-1], narrow, size=1)
        self.embed = nn.Linear(narrow * side * side, self.settings["embedding"], bias=False)
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
