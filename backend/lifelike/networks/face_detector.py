# SPDX-License-Identifier: GPL-3.0-or-later
"""First look at a frame: where about are faces, how large, and how far are they turned in the picture?

A small fully convolutional network with one heatmap peak a face, after Zhou et al., "Objects as Points" (2019).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.networks.residual import convolution, stages

DETECTOR_SETTINGS: dict[str, Any] = {"stem": 16, "widths": [24, 32, 64, 80], "blocks": [1, 1, 1, 2], "top": 24}

STRIDE = 4
"""Pixels of the picture to one cell of the heatmap."""

LONGEST_STRIDE = 16
"""Sides of pictures are to be multiples of this."""


class FaceMap(NamedTuple):
    """What the detector sees, on cells of `STRIDE` pixels.

    heat: (N, 1, h, w) logits, high where a face's centre (mean of its 68 landmarks) lies.
    shape: (N, 5, h, w): centre's offset x, y within the cell (cells, from its middle), logarithm of the face's radius
        (root mean square distance of its landmarks from their mean, in pixels), cosine and sine of its turn.
    """

    heat: Tensor
    shape: Tensor


class FaceDetector(nn.Module):
    """(N, 3, H, W) float −1…1, sides multiples of 16 → `FaceMap`."""

    def __init__(self, settings: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.settings = {**DETECTOR_SETTINGS, **(settings or {})}
        widths, top = list(self.settings["widths"]), self.settings["top"]
        self.stem = convolution(3, self.settings["stem"], stride=2)
        first = nn.Sequential(convolution(self.settings["stem"], widths[0], stride=2))
        blocks = list(self.settings["blocks"])
        # Each stage is kept apart, since each is read again on the way up.
        self.down = nn.ModuleList([nn.Sequential(*first, *stages(widths[0], widths[:1], blocks[:1]))])
        for below, width, count in zip(widths[:-1], widths[1:], blocks[1:], strict=True):
            self.down.append(nn.Sequential(convolution(below, width, stride=2), *stages(width, [width], [count])))
        self.across = nn.ModuleList([nn.Conv2d(width, top, 1) for width in widths])
        self.smooth = convolution(top, top)
        final = nn.Conv2d(top, 6, 1)
        self.head = nn.Sequential(convolution(top, top), final)
        # Faces are rare, so the heatmap starts near zero; the fourth value is a radius of about e^2.5 pixels.
        final.bias = nn.Parameter(torch.tensor([-4.0, 0.0, 0.0, 2.5, 0.0, 0.0]))

    def forward(self, pictures: Tensor) -> FaceMap:
        x = self.stem(pictures)
        levels = []
        for stage in self.down:
            x = stage(x)
            levels.append(x)
        merged = self.across[-1](levels[-1])
        for across, level in zip(reversed(list(self.across)[:-1]), reversed(levels[:-1]), strict=True):
            merged = across(level) + functional.interpolate(merged, size=level.shape[-2:], mode="nearest")
        out = self.head(self.smooth(merged)).float()
        return FaceMap(out[:, :1], out[:, 1:])


class Detections(NamedTuple):
    """Faces of one picture: centre (n,) complex pixels x + iy, scale (n,) complex (radius · e^{i·turn}), score (n,)."""

    centre: Tensor
    scale: Tensor
    score: Tensor


def read_face_map(found: FaceMap, least: float = 0.25, most: int = 32) -> Detections:
    """Peaks of one picture's map (N = 1) above a score, the best ``most`` of them."""
    heat = found.heat[0, 0].sigmoid()
    peaks = heat * (functional.max_pool2d(heat[None], 3, 1, 1)[0] == heat)
    score, index = peaks.flatten().topk(min(most, peaks.numel()))
    kept = score > least
    score, index = score[kept], index[kept]
    row, column = index // heat.shape[1], index % heat.shape[1]
    dx, dy, radius, cosine, sine = found.shape[0].flatten(1)[:, index]
    centre = torch.complex((column + 0.5 + dx) * STRIDE, (row + 0.5 + dy) * STRIDE)
    turn = torch.complex(cosine, sine)
    turn = turn / turn.abs().clamp_min(1e-6)
    return Detections(centre, radius.clamp(0, 8).exp() * turn, score)
