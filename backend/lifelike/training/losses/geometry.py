# SPDX-License-Identifier: GPL-3.0-or-later
"""Where features are: edges of two looks laid over each other.

Stands for the paper's "geometric […] features relevant to facial identity" (stated). The form is reconstructed: edge
responses need no learned weights; GANSketching (Wang et al., arXiv 2108.02774) holds a fine-tuned generator by
sketches of its pictures in the same spirit.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_FLOOR = 0.03  # of the local contrast, in units of −1…1 per pixel: fainter edges are taken for grain


def edge_distance(first: Tensor, second: Tensor, region: Tensor | None = None, scales: int = 3) -> Tensor:
    """Mean L1 between the edge responses at half, quarter, … resolution.

    The full resolution is left out: pores and grain are the look's, not the person's.

    Args:
        first, second: [N3RR]. region: [N1RR] or [11RR] weights 0…1, or None for everywhere.
        scales: how many, each half the one before; the last at least 8 pixels a side.
    """
    total = first.new_zeros((), dtype=torch.float32)
    for _ in range(scales):
        first, second = F.avg_pool2d(first.float(), 2), F.avg_pool2d(second.float(), 2)
        apart = (edges(first) - edges(second)).abs().mean(1, keepdim=True)
        if region is None:
            total = total + apart.mean()
        else:
            region = F.avg_pool2d(region, 2)
            total = total + (region * apart).sum() / (region.expand_as(apart).sum() + 1e-8)
    return total / scales


def edges(pictures: Tensor) -> Tensor:
    """Sobel's derivatives of each channel, divided by the root-mean-square of its edges nearby.

    e = ∇x / √(mean over a window of |∇x|² + floor²): a gain or an offset of a channel, so any tint, cancels; what is
    left says where edges are, which way they run and how they compare to their surroundings. The window is three
    eighths of the side.

    Args:
        pictures: [NCRR].

    Returns:
        [N, 2C, R, R]: across and down for each channel, about −2…2.
    """
    channels, side = pictures.shape[1], pictures.shape[-1]
    smooth, slope = pictures.new_tensor([1.0, 2.0, 1.0]) / 4, pictures.new_tensor([-1.0, 0.0, 1.0]) / 2
    kernels = torch.stack([torch.outer(smooth, slope), torch.outer(slope, smooth)])[:, None]  # [2133]
    padded = F.pad(pictures, (1, 1, 1, 1), mode="replicate")
    derivatives = F.conv2d(padded, kernels.repeat(channels, 1, 1, 1), groups=channels)  # [N, 2C, R, R]
    power = derivatives.square().unflatten(1, (channels, 2)).sum(2)  # [NCRR]
    cells = F.avg_pool2d(F.adaptive_avg_pool2d(power, min(8, side)), 3, 1, 1, count_include_pad=False)
    nearby = F.interpolate(cells, (side, side), mode="bilinear")
    return derivatives * (nearby + _FLOOR**2).rsqrt().repeat_interleave(2, 1)
