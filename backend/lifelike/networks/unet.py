# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain U-Net: the baseline that any use of a generator pair has to stand beside.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", arXiv 1505.04597: halving and
doubling with two convolutions at each size, features handed across by concatenation. Later habits taken up: group
normalisation (Wu and He, arXiv 1803.08494), SiLU, and the change of the picture as output instead of the picture.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from attrs import field, frozen, validators
from torch import Tensor, nn

GROUPS = 8


@frozen
class UNetSettings:
    """Sizes of the network.

    resolution: side of the pictures in pixels. patch: pixels a side folded into channels on the way in and unfolded on
    the way out. width, width_max: channels at the largest size, doubling down to the most; multiples of 8.
    levels: sizes, each half the one above.
    """

    resolution: int = 256
    patch: int = field(default=2, validator=validators.in_((1, 2, 4)))  # as the bundle's encoder: half the work
    width: int = field(default=32, validator=validators.ge(GROUPS))  # chosen for a CPU: 1.8 M parameters
    width_max: int = field(default=128, validator=validators.ge(GROUPS))
    levels: int = field(default=5, validator=validators.in_(range(2, 9)))  # the U-Net's own number

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels at each size, the largest first."""
        return tuple(min(self.width * 2**level, self.width_max) for level in range(self.levels))


class Convolutions(nn.Sequential):
    """Two 3×3 convolutions; [N, inputs, H, W] → [N, outputs, H, W]."""

    def __init__(self, inputs: int, outputs: int) -> None:
        layers: list[nn.Module] = []
        for channels in (inputs, outputs):
            layers += [
                nn.Conv2d(channels, outputs, 3, padding=1, bias=False),
                nn.GroupNorm(GROUPS, outputs),
                nn.SiLU(inplace=True),
            ]
        super().__init__(*layers)


class UNet(nn.Module):
    """[N3RR] −1…1 → [N3RR], the picture changed; not clipped. R: a multiple of patch · 2^(levels − 1)."""

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        folded, widths = 3 * settings.patch**2, settings.widths
        self.down = nn.ModuleList(Convolutions(a, b) for a, b in pairwise((folded, *widths)))
        self.up = nn.ModuleList(Convolutions(a + b, b) for a, b in pairwise(widths[::-1]))
        self.change = nn.Conv2d(widths[0], folded, 1)
        nn.init.zeros_(self.change.weight)  # starts as the untouched picture
        assert self.change.bias is not None
        nn.init.zeros_(self.change.bias)

    def forward(self, pictures: Tensor) -> Tensor:
        x = F.pixel_unshuffle(pictures, self.settings.patch)
        across: list[Tensor] = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else F.avg_pool2d(x, 2))
            across.append(x)
        across.pop()
        for block in self.up:
            skip = across.pop()
            x = block(torch.cat([F.interpolate(x, size=skip.shape[-2:], mode="nearest"), skip], 1))
        return pictures + F.pixel_shuffle(self.change(x), self.settings.patch).float()
