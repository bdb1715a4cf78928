# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator against its discriminator: StyleGAN2's losses and the regularisation of either."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_adversarial(logits_fake: Tensor) -> Tensor:
    """Non-saturating logistic loss: mean softplus(−D(fake)) (Goodfellow et al., arXiv 1406.2661, section 3)."""
    return F.softplus(-logits_fake).mean()


def discriminator_adversarial(logits_real: Tensor, logits_fake: Tensor) -> Tensor:
    """Logistic loss: mean softplus(−D(real)) + mean softplus(D(fake)) (same source)."""
    return F.softplus(-logits_real).mean() + F.softplus(logits_fake).mean()


def r1_penalty(discriminator: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """½ E‖∇D(real)‖² (Mescheder et al., arXiv 1801.04406, equation 9), without its weight γ."""
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(discriminator(real).sum(), real, create_graph=True)
    return gradient.square().sum((1, 2, 3)).mean() / 2


def path_length_penalty(pictures: Tensor, ws: Tensor, mean: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """(E (‖Jᵀy‖ − a)², a): a step in w should change the picture by a fixed amount, whatever w and its direction.

    StyleGAN2, arXiv 1912.04958, equation 4, where J = ∂pictures/∂w, y is Gaussian noise of variance 1/R² and a the
    running mean of the lengths. Without its weight.

    Args:
        pictures: [N3RR] made from ``ws`` with the graph kept.
        ws: [N, L, w_dim] that requires a gradient; the length is the root-mean-square over the L layers.
        mean: a so far, []; start with zero.
        decay: how far a moves towards this batch's mean (stylegan2-ada's pl_decay).

    Returns:
        The penalty and the new a, both [].
    """
    noise = torch.randn_like(pictures) / math.sqrt(pictures.shape[2] * pictures.shape[3])
    (gradient,) = torch.autograd.grad((pictures * noise).sum(), ws, create_graph=True)
    lengths = gradient.square().sum(2).mean(1).sqrt()
    mean = mean.lerp(lengths.detach().mean(), decay)
    return (lengths - mean).square().mean(), mean
