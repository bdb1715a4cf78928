# SPDX-License-Identifier: GPL-3.0-or-later
"""Second look: 68 landmarks in an upright crop of one face, and whether it is a face at all.

Each landmark is the mean of a learnt heatmap (integral regression, Sun et al., ECCV 2018), so it is found to a
fraction of a cell.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.networks.residual import ResidualBlock, convolution, stages

REGRESSOR_SETTINGS: dict[str, Any] = {
    "crop_size": 80,
    "stem": 24,
    "widths": [24, 48, 80, 96],
    "top": 48,
}


class LandmarkRegressor(nn.Module):
    """(N, 3, S, S) float −1…1 → landmarks (N, 68, 2) in −1…1 (edge to edge) and face logits (N,)."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.settings = {**REGRESSOR_SETTINGS, **(settings or {})}
        widths, top = list(self.settings["widths"]), self.settings["top"]
        self.stem = convolution(3, self.settings["stem"], stride=2)
        self.first = stages(self.settings["stem"], widths[:1], [1])
        inputs, down = widths[0], []
        for width in widths[1:]:
            down.append(nn.Sequential(ResidualBlock(inputs, width, 2), ResidualBlock(width, width)))
            inputs = width
        self.down = nn.ModuleList(down)
        self.across = nn.ModuleList([nn.Conv2d(width, top, 1) for width in widths[1:]])
        self.smooth = nn.Sequential(convolution(top, top), convolution(top, top))
        self.maps = nn.Conv2d(top, 68, 1)
        self.is_face = nn.Linear(widths[-1], 1)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        x = self.first(self.stem(crops))
        levels = []
        for stage in self.down:
            x = stage(x)
            levels.append(x)
        merged = self.across[-1](levels[-1])
        for across, level in zip(reversed(list(self.across)[:-1]), reversed(levels[:-1]), strict=True):
            merged = across(level) + functional.interpolate(merged, size=level.shape[-2:], mode="nearest")
        return mean_position(self.maps(self.smooth(merged)).float()), self.is_face(x.mean((2, 3))).float()[:, 0]


def mean_position(maps: Tensor) -> Tensor:
    """Logits (N, K, h, w) → mean places (N, K, 2), x and y in −1…1 from edge to edge."""
    height, width = maps.shape[-2:]
    share = maps.flatten(2).softmax(2).view_as(maps)
    across = (torch.arange(width, dtype=share.dtype, device=share.device) + 0.5) * (2 / width) - 1
    down = (torch.arange(height, dtype=share.dtype, device=share.device) + 0.5) * (2 / height) - 1
    # Points may lie a little outside the crop (a chin, a wide jaw), so the places are stretched by a quarter.
    return 1.25 * torch.stack([(share.sum(2) * across).sum(2), (share.sum(3) * down).sum(2)], 2)
