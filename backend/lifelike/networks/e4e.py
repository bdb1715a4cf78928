# SPDX-License-Identifier: GPL-3.0-or-later
"""e4e: the published encoder for StyleGAN2's photographs, portrait → W+ code.

Tov et al., "Designing an Encoder for StyleGAN Image Manipulation" (arXiv 2102.02766): a feature pyramid over an IR-SE50
gives one w and an offset for each layer (section 4.1; the pyramid is pSp's, arXiv 2008.00951, section 3). Tensors are
named as in the published files, less their "encoder."; `tests/backend/test_published_networks.py` holds the network to
the outputs of the published code.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from attrs import frozen
from torch import Tensor, nn

from lifelike.networks.encoder import Latent
from lifelike.networks.faster import Faster, usable
from lifelike.networks.ir_se import BLOCKS, WIDTHS, InputLayer, body
from lifelike.networks.stylegan2 import Linear

COARSE, MIDDLE = 3, 7
"""The first layer of w that the middle map of the pyramid speaks for, and the first that the finest does."""


@frozen
class E4eSettings:
    """Sizes of an encoder; as they are here they are the published one's, of which only `num_ws` varies.

    resolution: side of the portraits it reads, pixels. num_ws, w_dim: the generator's.
    widths, blocks: of the IR-SE trunk's four stages.
    """

    resolution: int = 256
    num_ws: int = 18
    w_dim: int = 512
    widths: tuple[int, ...] = WIDTHS
    blocks: tuple[int, ...] = BLOCKS

    def __attrs_post_init__(self) -> None:
        if self.resolution < 64 or self.resolution & (self.resolution - 1):
            raise ValueError(f"the resolution must be a power of two of at least 64, not {self.resolution}")
        if len(self.widths) != 4 or len(self.blocks) != 4 or min(self.blocks) < 1 or min(self.widths) < 16:
            raise ValueError("the trunk must have four stages of at least one unit and 16 channels")
        if self.num_ws < 1 or self.w_dim < 1:
            raise ValueError("there must be a w")


class StyleHead(nn.Module):
    """A map of the pyramid → one w: convolutions of stride 2 down to one pixel. [NCSS] → [N, w_dim]."""

    faster: Faster | None = None

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index in range(side.bit_length() - 1):
            layers += [nn.Conv2d(inputs if index == 0 else outputs, outputs, 3, 2, padding=1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = Linear(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        faster = usable(self.faster)
        w: Tensor = faster(x) if faster else self.linear(self.convs(x).flatten(1))
        return w


class E4e(nn.Module):
    """Portrait → `Latent` without feature codes."""

    faster: Faster | None = None
    w_avg: Tensor

    def __init__(self, settings: E4eSettings) -> None:
        super().__init__()
        self.settings = settings
        self.register_buffer("w_avg", torch.zeros(settings.num_ws, settings.w_dim))
        _, fine, middle, coarse = settings.widths
        self.input_layer = InputLayer(settings.widths[0])
        self.body = body(settings.widths, settings.blocks)
        side = settings.resolution // 16
        self.styles = nn.ModuleList(
            StyleHead(coarse, settings.w_dim, side if index < COARSE else 2 * side if index < MIDDLE else 4 * side)
            for index in range(settings.num_ws)
        )
        self.latlayer1 = nn.Conv2d(middle, coarse, 1)
        self.latlayer2 = nn.Conv2d(fine, coarse, 1)

    def forward(self, portrait: Tensor) -> Latent:
        """portrait: [N3RR], −1…1, R the settings' resolution → the latent of N portraits."""
        latent: Latent = (usable(self.faster) or self.compute)(portrait)
        return latent

    def compute(self, portrait: Tensor) -> Latent:
        """Layer by layer what `forward` says."""
        return Latent(self.codes(portrait).float() + self.w_avg, {})

    def codes(self, portrait: Tensor) -> Tensor:
        """[N3RR] → the W+ codes' distance from the mean, [N, num_ws, w_dim]."""
        first, *offsets = (head(x) for head, x in zip(self.styles, self._maps(portrait), strict=True))
        return torch.stack([first, *(first + offset for offset in offsets)], 1)

    def _maps(self, portrait: Tensor) -> list[Tensor]:
        """For each layer of w the map of the pyramid that speaks for it."""
        _, two, three, _ = self.settings.blocks
        ends = (self.settings.blocks[0] + two, self.settings.blocks[0] + two + three)
        x, sides = self.input_layer(portrait), []
        for index, unit in enumerate(self.body):
            if index in ends:
                sides.append(x.float())  # units may compute in bf16, see `lifelike.execution`
            x = unit(x)
        x = x.float()
        middle = _doubled(x) + self.latlayer1(sides[1])
        fine = _doubled(middle) + self.latlayer2(sides[0])
        maps = [x] * COARSE + [middle] * (MIDDLE - COARSE) + [fine] * max(self.settings.num_ws - MIDDLE, 0)
        return maps[: self.settings.num_ws]


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)
