# SPDX-License-Identifier: GPL-3.0-or-later
"""Random changes to batches of pictures that keep what is to be learnt.

All take and give float tensors (N, 3, H, W) of display values 0…1, and draw each picture's change on its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as functional
from torch import Tensor

# Rows: luma and the two colour differences of NTSC's YIQ; turning the last two turns the hue.
_YIQ = torch.tensor([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])


def uniform(count: int, low: float, high: float) -> Tensor:
    """(count,) drawn evenly between low and high."""
    return torch.rand(count) * (high - low) + low


def jitter_colour(
    pictures: Tensor, hue: float = 0.1, saturation: float = 0.4, contrast: float = 0.3, brightness: float = 0.25
) -> Tensor:
    """Hue turned by up to ± hue · π, the others changed by up to the given fraction, and a tint of each channel."""
    count = len(pictures)
    angle = uniform(count, -hue, hue) * math.pi
    colour = 1 + uniform(count, -saturation, saturation)
    turn = torch.zeros(count, 3, 3)
    turn[:, 0, 0] = 1
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos() * colour
    turn[:, 1, 2] = -angle.sin() * colour
    turn[:, 2, 1] = angle.sin() * colour
    matrix = torch.linalg.inv(_YIQ) @ turn @ _YIQ
    gain = (1 + uniform(count, -contrast, contrast))[:, None, None]
    tint = 1 + uniform(count * 3, -0.5 * brightness, 0.5 * brightness).view(count, 3, 1)
    offset = uniform(count, -0.5 * brightness, 0.5 * brightness)[:, None, None]
    changed = (matrix @ pictures.flatten(2) * tint - 0.5) * gain + 0.5 + offset
    gamma = torch.exp(uniform(count, -0.3, 0.3))[:, None, None]
    return changed.clamp(1e-4, 1).pow(gamma).view_as(pictures)


def add_noise(pictures: Tensor, most: float = 0.06) -> Tensor:
    """Gaussian grain, strength 0…most, fine or (for half of them) coarse and uneven in colour."""
    count, _, height, width = pictures.shape
    fine = torch.randn_like(pictures)
    coarse = functional.interpolate(
        torch.randn(count, 3, (height + 1) // 2, (width + 1) // 2), (height, width), mode="bilinear"
    )
    choice = (torch.rand(count, 1, 1, 1) < 0.5).float()
    strength = (torch.rand(count, 1, 1, 1) ** 2) * most
    return (pictures + strength * (choice * fine + (1 - choice) * coarse)).clamp(0, 1)


def blur(pictures: Tensor, most: float = 2.0, share: float = 0.5) -> Tensor:
    """A Gaussian of standard deviation 0.3…most pixels on this share of the pictures, in four groups."""
    result = pictures.clone()
    for group in torch.randperm(len(pictures)).chunk(8)[: round(8 * share)]:
        sigma = 0.3 + (most - 0.3) * float(torch.rand(())) ** 2
        result[group] = gaussian(pictures[group], sigma)
    return result


def gaussian(pictures: Tensor, sigma: float) -> Tensor:
    """Separable Gaussian blur, edges repeated."""
    radius = max(1, math.ceil(2.5 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=pictures.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    padded = functional.pad(pictures, (radius, radius, radius, radius), mode="replicate")
    return functional.conv2d(functional.conv2d(padded, kernel, groups=3), kernel.transpose(2, 3), groups=3)


def similarity_matrices(count: int, turn: float, scale: tuple[float, float], shift: float, flip: bool = True) -> Tensor:
    """(count, 2, 3) for `affine_grid`: output → input in coordinates −1…1.

    Args:
        turn: largest turn in degrees. scale: the output shows 1/scale of the input.
        shift: largest shift as a share of the half width. flip: mirror half of them.
    """
    angle = uniform(count, -turn, turn) * math.pi / 180
    zoom = 1 / torch.exp(uniform(count, math.log(scale[0]), math.log(scale[1])))
    mirror = torch.where(torch.rand(count) < 0.5, -1.0, 1.0) if flip else torch.ones(count)
    matrix = torch.empty(count, 2, 3)
    matrix[:, 0, 0] = zoom * angle.cos() * mirror
    matrix[:, 0, 1] = -zoom * angle.sin()
    matrix[:, 1, 0] = zoom * angle.sin() * mirror
    matrix[:, 1, 1] = zoom * angle.cos()
    matrix[:, :, 2] = uniform(count * 2, -shift, shift).view(count, 2)
    return matrix


def warp(pictures: Tensor, matrices: Tensor, size: int) -> Tensor:
    """Pictures (N, C, H, W) seen through `similarity_matrices`, (N, C, size, size), edges repeated."""
    grid = functional.affine_grid(matrices, [len(pictures), pictures.shape[1], size, size], align_corners=False)
    return functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=False)


def random_backdrops(count: int, size: int) -> Tensor:
    """(count, 3, size, size): smooth random colours, from flat to busy."""
    result = torch.rand(count, 3, 1, 1).expand(-1, -1, size, size).clone()
    for cells in (2, 4, 9, 24):
        amount = torch.rand(count, 1, 1, 1) * (torch.rand(count, 1, 1, 1) < 0.5)
        layer = functional.interpolate(torch.rand(count, 3, cells, cells) - 0.5, (size, size), mode="bilinear")
        result += amount * layer
    return result.clamp(0, 1)


def coarsen(pictures: Tensor, share: float = 0.4, least: int = 16) -> Tensor:
    """Some pictures as if seen with far fewer pixels (from ``least`` a side), as a face in a whole figure is."""
    size = pictures.shape[-1]
    result = pictures.clone()
    for group in torch.randperm(len(pictures)).chunk(8)[: round(8 * share)]:
        small = int(torch.randint(least, size, ()))
        few = functional.interpolate(pictures[group], (small, small), mode="bilinear", antialias=True)
        result[group] = functional.interpolate(few, (size, size), mode="bilinear")
    return result


def soften(masks: Tensor) -> Tensor:
    """Masks (N, 1, R, R) uint8, a little wider and with an edge a few pixels soft."""
    wide = gaussian(masks.float().expand(-1, 3, -1, -1), 3.0)[:, :1]
    return (wide * 2).clamp(0, 255).to(torch.uint8)


def box_matrix(box: Sequence[float]) -> Tensor:
    """(3, 3) from −1…1 over a box (x0, y0, x1, y1 as shares of the picture) to −1…1 over the picture."""
    x0, y0, x1, y1 = box
    return torch.tensor([[x1 - x0, 0.0, x0 + x1 - 1], [0.0, y1 - y0, y0 + y1 - 1], [0.0, 0.0, 1.0]])
