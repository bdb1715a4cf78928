# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain stack of convolutions, without shortcuts: the other architecture of the identity network."""

from __future__ import annotations

from torch import nn

from lifelike.networks.residual import convolution


def plain_stages(inputs: int, widths: list[int], blocks: list[int]) -> nn.Sequential:
    """3×3 convolutions with batch normalisation, one stage a width, each but the first after a 2×2 maximum.

    VGG's form (Simonyan and Zisserman, arXiv 1409.1556, section 2.1; batch normalisation came later). Shapes as in
    `lifelike.networks.residual.stages`.
    """
    layers: list[nn.Module] = []
    for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
        if stage > 0:
            layers.append(nn.MaxPool2d(2, ceil_mode=True))
        for _ in range(count):
            layers.append(convolution(inputs, width))
            inputs = width
    return nn.Sequential(*layers)
