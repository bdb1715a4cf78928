# SPDX-License-Identifier: GPL-3.0-or-later
"""Render look or photo look? A judge for the evaluation only; it takes no part in training a bundle."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lifelike.networks.inner_face import INNER_FACE, inner_face
from lifelike.networks.residual import convolution, stages

CLASSIFIER_SETTINGS: dict[str, Any] = {
    "input_size": 88,
    "box": list(INNER_FACE),
    "stem": 16,
    "widths": [24, 32, 64, 96],
    "blocks": [1, 1, 1, 1],
}


class LookClassifier(nn.Module):
    """(N, 3, R, R) float −1…1, FFHQ-aligned portraits → logits (N,), positive: photo look.

    Args:
        settings: a plain dictionary overriding `CLASSIFIER_SETTINGS`; kept whole as ``settings``.
    """

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.settings = {**CLASSIFIER_SETTINGS, **(settings or {})}
        widths = list(self.settings["widths"])
        self.stem = convolution(3, self.settings["stem"], stride=2)
        self.stages = stages(self.settings["stem"], widths, list(self.settings["blocks"]))
        self.judge = nn.Linear(widths[-1], 1)

    def crop(self, portraits: Tensor) -> Tensor:
        """The inner face (N, 3, S, S)."""
        return inner_face(portraits, self.settings["box"], self.settings["input_size"])

    def forward(self, portraits: Tensor) -> Tensor:
        return self.judge_crops(self.crop(portraits))

    def judge_crops(self, crops: Tensor) -> Tensor:
        """Inner faces (N, 3, S, S) → logits (N,)."""
        logits: Tensor = self.judge(self.stages(self.stem(crops)).mean((2, 3)))
        return logits.float()[:, 0]
