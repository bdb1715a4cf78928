# SPDX-License-Identifier: GPL-3.0-or-later
"""The training's loss terms, each a small function with its formula and source.

Pictures are [N3RR] float32, −1…1. Every function returns a scalar.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


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


def texture_energy(image: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """L1 between the local root-mean-square of two fine bands, channel by channel.

    Sees how much grain and pattern there is, not where each grain lies. Local statistics of sub-bands are Portilla
    and Simoncelli's (IJCV 40, 2000); as a training term reconstructed.
    """
    total = image.new_zeros(())
    for _ in range(2):
        energies = [_local_energy(picture) for picture in (image, target)]
        total = total + (F.avg_pool2d(weight, 8, 4) * (energies[0] - energies[1]).abs()).mean()
        image, target, weight = (F.avg_pool2d(x, 2) for x in (image, target, weight))
    return total


def _local_energy(picture: Tensor) -> Tensor:
    """Root-mean-square of what a 3×3 mean takes away, in windows of 8 pixels every 4. [NCRR] → [NC, about R/4, …]."""
    fine = picture - F.avg_pool2d(F.pad(picture, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return (F.avg_pool2d(fine.square(), 8, 4) + 1e-5).sqrt()


def generator_adversarial(logits_fake: Tensor) -> Tensor:
    """Non-saturating logistic loss: mean softplus(−D(fake)) (Goodfellow et al., arXiv 1406.2661, section 3)."""
    return F.softplus(-logits_fake).mean()


def discriminator_adversarial(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """Logistic loss: mean softplus(−D(real)) + mean softplus(D(fake)) (same source)."""
    return F.softplus(-logits_real).mean() + F.softplus(logits_fake).mean()


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """½ E‖∇D(real)‖² (Mescheder et al., arXiv 1801.04406, equation 9), without its weight γ."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean() / 2


def identity(embedding: Tensor, target: Tensor) -> Tensor:
    """1 − cos of unit embeddings [NE] (pSp, Richardson et al., arXiv 2008.00951, equation 3)."""
    return 1 - (embedding * target).sum(1).mean()


def latent_offsets(ws: Tensor) -> Tensor:
    """Mean squared distance of each layer's w from the first (e4e, arXiv 2102.02766, equation 5). ws: [N, L, w_dim]."""
    return (ws[:, 1:] - ws[:, :1]).square().mean()


def colour_agreement(first: Tensor, second: Tensor) -> Tensor:
    """L1 between low-passed pictures (averages over an eighth of the side).

    Stands for the paper's "color features relevant to facial identity"; the form is reconstructed.
    """
    size = first.shape[-1] // 8
    return (F.avg_pool2d(first, size) - F.avg_pool2d(second, size)).abs().mean()
