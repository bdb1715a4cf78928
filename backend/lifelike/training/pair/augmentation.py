# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes of paired portraits and of what a discriminator sees. Pictures are [N3RR] float32, −1…1."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def paired_jitter(pictures: list[Tensor]) -> list[Tensor]:
    """The same random mirror, small similarity and colour gain for each tensor of the list.

    A tensor with one channel (a mask) moves along but keeps its values. Ranges: mirror one half; turn ±6°,
    size ±8 %, shift ±4 % of the side; gain per picture 0.75–1.25 and per channel 0.9–1.1, on display values.
    Every second picture is mirrored and shifted by whole pixels only: resampling softens the grain to be learnt.
    """
    count, side, device = pictures[0].shape[0], pictures[0].shape[-1], pictures[0].device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return low + (high - low) * torch.rand(*shape)

    angle, size = torch.deg2rad(uniform(-6, 6, count)), uniform(0.92, 1.08, count)
    shift = uniform(-0.08, 0.08, count, 2)
    whole = torch.rand(count) < 0.5
    angle[whole], size[whole] = 0.0, 1.0
    shift[whole] = (shift[whole] * side / 2).round() * 2 / side
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0)
    matrix = torch.zeros(count, 2, 3)
    matrix[:, 0, 0], matrix[:, 0, 1] = mirror * size * angle.cos(), -size * angle.sin()
    matrix[:, 1, 0], matrix[:, 1, 1] = mirror * size * angle.sin(), size * angle.cos()
    matrix[:, :, 2] = shift
    gain = (uniform(0.75, 1.25, count, 1) * uniform(0.9, 1.1, count, 3))[:, :, None, None].to(device)
    moved = []
    for picture in pictures:
        grid = F.affine_grid(matrix.to(device), list(picture.shape), align_corners=False)
        picture = F.grid_sample(picture, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
        moved.append((((picture + 1) * gain).clamp(0, 2) - 1) if picture.shape[1] == 3 else picture)
    return moved


def discriminator_augmentation(pictures: Tensor) -> Tensor:
    """Differentiable brightness, saturation, contrast and shift (DiffAugment, Zhao et al., arXiv 2006.10738)."""
    count, device = pictures.shape[0], pictures.device
    brightness, saturation, contrast = torch.rand(3, count, 1, 1, 1).to(device)
    pictures = pictures + (brightness - 0.5) * 0.5
    mean = pictures.mean(1, keepdim=True)
    pictures = mean + (pictures - mean) * (0.5 + saturation)
    mean = pictures.mean((1, 2, 3), keepdim=True)
    pictures = mean + (pictures - mean) * (0.75 + 0.5 * contrast)
    reach = pictures.shape[-1] // 8
    padded = F.pad(pictures, (reach,) * 4, mode="reflect")
    x, y = torch.randint(0, 2 * reach + 1, (2,))
    return padded[:, :, y : y + pictures.shape[-2], x : x + pictures.shape[-1]]


def finest_band(pictures: Tensor) -> Tensor:
    """What a 5×5 mean takes away, stretched to about −1…1: all that the discriminator is shown.

    Everything coarser is held to the truth pixel by pixel already, and beside it a discriminator that sees so few
    pictures never noticed the detail (reconstructed; cf. the wavelets of SWAGAN, Gal et al., arXiv 2102.06108).
    """
    coarse = F.avg_pool2d(F.pad(pictures, (2, 2, 2, 2), mode="replicate"), 5, 1)
    return torch.tanh(8 * (pictures - coarse))
