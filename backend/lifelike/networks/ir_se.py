# SPDX-License-Identifier: GPL-3.0-or-later
"""IR-SE: the improved residual network with squeeze and excitation that face recognition and e4e are built on.

The residual unit is ArcFace's (Deng et al., arXiv 1801.07698, section 3.2.2), the attention over channels Hu et al.'s
(arXiv 1709.01507). Names of modules, and so the tensors', are those of the published InsightFace_Pytorch, whose files
load by name.

Shapes: N pictures, R their side in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from lifelike.networks.faster import Faster, usable

WIDTHS = (64, 128, 256, 512)
BLOCKS = (3, 4, 14, 3)
"""Channels and residual units of the four stages of IR-SE50; each stage halves the side."""

REDUCTION = 16  # Hu et al., section 6.1


class SqueezeExcitation(nn.Module):
    """Weighs each channel, 0…1, by what all channels' means say. [NCRR] → [NCRR]."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // REDUCTION, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // REDUCTION, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weights: Tensor = self.fc2(self.fc1(x.mean((2, 3), keepdim=True)).relu()).sigmoid()
        return x * weights


class Bottleneck(nn.Module):
    """Norm, convolution, PReLU, convolution, norm and channel weights beside a shortcut; [NIRR] → [NORR] / stride."""

    faster: Faster | None = None

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.shortcut_layer: nn.Module
        if inputs == outputs:
            self.shortcut_layer = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            SqueezeExcitation(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        faster = usable(self.faster)
        result: Tensor = faster(x) if faster else self.res_layer(x) + self.shortcut_layer(x)
        return result


class InputLayer(nn.Sequential):
    """Convolution, norm and PReLU: [N3RR] → [N, width, R, R]."""

    faster: Faster | None = None

    def __init__(self, width: int) -> None:
        super().__init__(nn.Conv2d(3, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.PReLU(width))

    def forward(self, x: Tensor) -> Tensor:
        faster = usable(self.faster)
        result: Tensor = faster(x) if faster else super().forward(x)
        return result


def body(widths: Sequence[int] = WIDTHS, blocks: Sequence[int] = BLOCKS) -> nn.Sequential:
    """The residual units of all stages in one row: [N, widths[0], R, R] → [N, widths[-1], R/16, R/16]."""
    units = []
    inputs = widths[0]
    for outputs, count in zip(widths, blocks, strict=True):
        units.append(Bottleneck(inputs, outputs, stride=2))
        units += [Bottleneck(outputs, outputs, stride=1) for _ in range(count - 1)]
        inputs = outputs
    return nn.Sequential(*units)
