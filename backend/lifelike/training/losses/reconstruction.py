# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture against a target that it should repeat pixel by pixel, or grain by grain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ENERGY_FLOOR = 2e-5  # a third of a grey level, squared: below it nobody sees a difference


def weighted_l1(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean of weight · |image − target|. weight: [N1RR]."""
    return (weight * (image - target).abs()).mean()


def pyramid_l1(image: Tensor, target: Tensor, weight: Tensor, fine: float = 0.5) -> Tensor:
    """L1 at full, half, quarter and eighth resolution; `fine` scales the first, where grain cannot be matched.

    Reconstructed: coarse scales carry colour and light, and leave texture to the adversarial term.
    """
    total = fine * weighted_l1(image, target, weight)
    for _ in range(3):
        image, target, weight = (F.avg_pool2d(x, 2) for x in (image, target, weight))
        total = total + weighted_l1(image, target, weight)
    return total


def texture_energy(image: Tensor, target: Tensor, weight: Tensor, scales: int = 2) -> Tensor:
    """L1 between the local root-mean-square of `scales` fine bands, channel by channel.

    Sees how much grain and pattern there is, not where each grain lies. Local statistics of sub-bands are Portilla
    and Simoncelli's (IJCV 40, 2000); as a training term reconstructed.
    """
    total = image.new_zeros(())
    for _ in range(scales):
        energies = [_local_energy(picture) for picture in (image, target)]
        total = total + (F.avg_pool2d(weight, 8, 4) * (energies[0] - energies[1]).abs()).mean()
        image, target, weight = (F.avg_pool2d(x, 2) for x in (image, target, weight))
    return total


def detail_energy(image: Tensor, target: Tensor, weight: Tensor, scales: int = 3) -> Tensor:
    """L1 between the logarithms of the energy of `scales` fine bands of luma, in windows of an eighth of the picture.

    A term that asks for detail at its place (L1, `texture_energy`) is smallest for a picture with less of it wherever
    the place is uncertain; this one asks only how much there is in a wide window, as a ratio. Reconstructed; cf. the
    spectral regularisation of Durall et al. (arXiv 2003.01826).
    """
    luma = image.new_tensor([0.299, 0.587, 0.114])[:, None, None]
    picture, wanted = ((pixels * luma).sum(1, keepdim=True) for pixels in (image, target))
    total = image.new_zeros(())
    for _ in range(scales):
        side = max(picture.shape[-1] // 8, 2)
        share = F.avg_pool2d(weight, side, side // 2)
        powers = [F.avg_pool2d(weight * _fine(x).square(), side, side // 2) for x in (picture, wanted)]
        made, true = (torch.log(power / (share + 1e-3) + ENERGY_FLOOR) for power in powers)
        total = total + (share * (made - true).abs()).mean()
        picture, wanted, weight = (F.avg_pool2d(x, 2) for x in (picture, wanted, weight))
    return total


def _fine(picture: Tensor) -> Tensor:
    """What a 3×3 mean takes away."""
    return picture - F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), 3, 1)


def _local_energy(picture: Tensor) -> Tensor:
    """Root-mean-square of what a 3×3 mean takes away, in windows of 8 pixels every 4. [NCRR] → [NC, about R/4, …]."""
    return (F.avg_pool2d(_fine(picture).square(), 8, 4) + 1e-5).sqrt()
