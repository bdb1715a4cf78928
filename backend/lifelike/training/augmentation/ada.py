# SPDX-License-Identifier: GPL-3.0-or-later
"""Adaptive discriminator augmentation: the pictures' random changes (the 'bgc' pipeline).

Karras et al., "Training Generative Adversarial Networks with Limited Data" (arXiv 2006.06676), appendix B: pixel
blitting, geometric and colour transformations, each applied to a picture with probability p, in that order. Strengths
are those of the paper's implementation.

Written for speed: everything geometric is multiplied into one matrix per picture and done by one bilinear warp (the
paper up-samples with a wavelet first), everything about colour into another and done by one product. Reals and fakes
are changed alike, so that what the filter takes away is taken from both. Parameters are drawn on the CPU: the same
draws on every device.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

GREY = torch.tensor([1.0, 1.0, 1.0]) / math.sqrt(3)
"""The axis of luminance in RGB, of length 1."""


def augment(pictures: Tensor, p: float) -> Tensor:
    """Change each picture by chance.

    Args:
        pictures: [N3RR] float, −1…1.
        p: probability of each change, 0…1; 0 returns the pictures themselves.

    Returns:
        Pictures of the same shape and dtype, about −1…1, not clipped; differentiable.
    """
    if p <= 0:
        return pictures
    count = len(pictures)
    where = geometric_matrices(count, p, pictures.shape[-1])
    return recolour(warp(pictures, where), colour_matrices(count, p))


def geometric_matrices(count: int, p: float, side: int) -> Tensor:
    """[N, 3, 3] from the coordinates −1…1 of the result to those of the picture."""
    matrix = torch.eye(3).repeat(count, 1, 1)
    for change in (_mirror, _quarter_turn, _whole_shift, _size, _first_turn, _stretch, _second_turn, _shift):
        matrix = matrix @ change(count, p, side)
    return matrix


def colour_matrices(count: int, p: float) -> Tensor:
    """[N, 4, 4], colours (r, g, b, 1) to colours."""
    matrix = torch.eye(4).repeat(count, 1, 1)
    for change in (_brightness, _contrast, _luma_flip, _hue, _saturation):
        matrix = change(count, p) @ matrix
    return matrix


def warp(pictures: Tensor, where: Tensor) -> Tensor:
    """Pictures [NCRR] seen through [N, 3, 3], mirrored at their edges. Bilinear."""
    grid = F.affine_grid(where[:, :2], list(pictures.shape), align_corners=False).to(pictures.device)
    return F.grid_sample(pictures.float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False).to(
        pictures.dtype
    )


def recolour(pictures: Tensor, matrices: Tensor) -> Tensor:
    """Pictures [N3RR] with their colours multiplied by [N, 4, 4]."""
    count, channels, height, width = pictures.shape
    matrices = matrices.to(pictures.device, pictures.dtype)
    flat = pictures.permute(0, 2, 3, 1).reshape(count, height * width, channels)
    changed = torch.baddbmm(matrices[:, None, :3, 3], flat, matrices[:, :3, :3].transpose(1, 2))
    return changed.view(count, height, width, channels).permute(0, 3, 1, 2)


# -- geometry: each [N, 3, 3], result to picture ------------------------------------------------------


def _chosen(values: Tensor, p: float, neutral: float) -> Tensor:
    """`values` (N, …) where chance chose them, one chance a picture; the neutral value elsewhere."""
    chance = torch.rand(len(values), *[1] * (values.ndim - 1)) < p
    return torch.where(chance, values, torch.full_like(values, neutral))


def _scaling(x: Tensor, y: Tensor) -> Tensor:
    return torch.diag_embed(torch.stack([x, y, torch.ones_like(x)], 1))


def _turning(angle: Tensor) -> Tensor:
    matrix = torch.eye(3).repeat(len(angle), 1, 1)
    matrix[:, 0, 0] = matrix[:, 1, 1] = angle.cos()
    matrix[:, 1, 0] = angle.sin()
    matrix[:, 0, 1] = -angle.sin()
    return matrix


def _shifting(offsets: Tensor) -> Tensor:
    matrix = torch.eye(3).repeat(len(offsets), 1, 1)
    matrix[:, :2, 2] = offsets
    return matrix


def _mirror(count: int, p: float, side: int) -> Tensor:
    x = _chosen(1.0 - 2.0 * torch.randint(2, (count,)), p, 1.0)
    return _scaling(x, torch.ones(count))


def _quarter_turn(count: int, p: float, side: int) -> Tensor:
    angle = _chosen(torch.randint(4, (count,)) * (math.pi / 2), p, 0.0)
    return _turning(angle)


def _whole_shift(count: int, p: float, side: int) -> Tensor:
    """By whole pixels, up to an eighth of the side."""
    share = _chosen(torch.rand(count, 2) * 2 - 1, p, 0.0) * 0.125
    return _shifting((share * side).round() * (2 / side))


def _size(count: int, p: float, side: int) -> Tensor:
    size = _chosen(torch.exp2(torch.randn(count) * 0.2), p, 1.0)
    return _scaling(1 / size, 1 / size)


def _turn(count: int, p: float) -> Tensor:
    """Half of the turns come before the stretch and half after it: both together happen with probability p."""
    share = 1 - math.sqrt(max(1 - p, 0.0))
    return _turning(_chosen((torch.rand(count) * 2 - 1) * math.pi, share, 0.0))


def _first_turn(count: int, p: float, side: int) -> Tensor:
    return _turn(count, p)


def _second_turn(count: int, p: float, side: int) -> Tensor:
    return _turn(count, p)


def _stretch(count: int, p: float, side: int) -> Tensor:
    size = _chosen(torch.exp2(torch.randn(count) * 0.2), p, 1.0)
    return _scaling(1 / size, size)


def _shift(count: int, p: float, side: int) -> Tensor:
    return _shifting(_chosen(torch.randn(count, 2) * 0.125, p, 0.0) * 2)


# -- colour: each [N, 4, 4] ---------------------------------------------------------------------------


def _brightness(count: int, p: float) -> Tensor:
    matrix = torch.eye(4).repeat(count, 1, 1)
    matrix[:, :3, 3] = _chosen(torch.randn(count) * 0.2, p, 0.0)[:, None]
    return matrix


def _contrast(count: int, p: float) -> Tensor:
    size = _chosen(torch.exp2(torch.randn(count) * 0.5), p, 1.0)
    return torch.diag_embed(torch.stack([size, size, size, torch.ones(count)], 1))


def _luma_flip(count: int, p: float) -> Tensor:
    """Half of the time luminance is turned round, hue and saturation stay (a Householder reflection)."""
    flip = _chosen(torch.randint(2, (count,)).float(), p, 0.0)
    matrix = torch.eye(4).repeat(count, 1, 1)
    matrix[:, :3, :3] -= 2 * flip[:, None, None] * torch.outer(GREY, GREY)
    return matrix


def _hue(count: int, p: float) -> Tensor:
    """A turn around the axis of luminance (Rodrigues' formula)."""
    angle = _chosen((torch.rand(count) * 2 - 1) * math.pi, p, 0.0)[:, None, None]
    x, y, z = GREY.tolist()
    across = torch.tensor([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    along = torch.outer(GREY, GREY)
    matrix = torch.eye(4).repeat(count, 1, 1)
    matrix[:, :3, :3] = angle.cos() * torch.eye(3) + angle.sin() * across + (1 - angle.cos()) * along
    return matrix


def _saturation(count: int, p: float) -> Tensor:
    size = _chosen(torch.exp2(torch.randn(count)), p, 1.0)[:, None, None]
    along = torch.outer(GREY, GREY)
    matrix = torch.eye(4).repeat(count, 1, 1)
    matrix[:, :3, :3] = along + (torch.eye(3) - along) * size
    return matrix
