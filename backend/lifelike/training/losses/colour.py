# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin, hair and lips: where two looks must agree, whatever their grain.

Each stands for the paper's "color features relevant to facial identity" (stated); every form is reconstructed.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.training.losses.lab import srgb_to_lab

_SIDE = 32  # pixels of the low-passed pictures
_SIGMA = 2.0  # of the low pass, in those pixels: a sixteenth of the side, about the width of an eye


def low_passed_lab(first: Tensor, second: Tensor, region: Tensor) -> Tensor:
    """L1 between Lab(low pass of first) and Lab(low pass of second), averaged over the region.

    Σ m · |Lab(g ∗ (r·x) / m) − Lab(g ∗ (r·y) / m)| / Σ m with m = g ∗ r and a Gaussian g of a sixteenth of the side:
    nothing outside the region r bleeds into it, grain and features moved by a few pixels hardly count, a tint does.

    Args:
        first, second: [N3RR], R at least 32. region: [N1RR] or [11RR], 0…1.
    """
    region = _reduced(region.expand(len(first), -1, -1, -1))
    weight = _gaussian(region)
    labs = [srgb_to_lab(_gaussian(_reduced(x.float()) * region) / (weight + 1e-4)) for x in (first, second)]
    return (weight * (labs[0] - labs[1]).abs()).sum() / (3 * weight.sum() + 1e-8)


def histogram_distance(first: Tensor, second: Tensor, region: Tensor) -> Tensor:
    """Hellinger distance of the two RGB-uv histograms over the region, 0…1.

    ‖√H(x) − √H(y)‖₂ / √2 (HistoGAN, Afifi et al., arXiv 2011.11731, equations 1 to 5). Blind to where a colour is; the
    pictures are reduced to 32 pixels first, which leaves out the grain.

    Args:
        first, second: [N3RR], R at least 32. region: [N1RR] or [11RR], 0…1.
    """
    region = _reduced(region.expand(len(first), -1, -1, -1))
    histograms = [rgb_uv_histogram(_reduced(x.float()), region) for x in (first, second)]
    distance = (histograms[0].sqrt() - histograms[1].sqrt()).square().flatten(1).sum(1)
    return (distance / 2 + 1e-12).sqrt().mean()


def rgb_uv_histogram(pictures: Tensor, region: Tensor, bins: int = 64, width: float = 0.02) -> Tensor:
    """[N3RR] −1…1, region [N1RR] → [N, 3, bins, bins], each picture's bins adding up to one.

    For each channel against the two others (u, v are differences of logarithms, −3…3), pixels count by their
    brightness and fall into bins through the inverse quadratic kernel (same source; `bins` and `width` are its h, τ).
    """
    display = ((pictures.float() + 1) / 2).clamp(0, 1).flatten(2)  # [N3P]
    logarithm = (display + 1e-6).log()
    brightness = (display.square().sum(1) + 1e-6).sqrt() * region.flatten(1)  # [NP]
    centres = torch.linspace(-3, 3, bins, device=pictures.device)
    planes = []
    for channel, (one, other) in enumerate(((1, 2), (0, 2), (0, 1))):
        u, v = (logarithm[:, channel] - logarithm[:, c] for c in (one, other))
        near = [1 / (1 + ((axis[:, None] - centres[:, None]) / width).square()) for axis in (u, v)]  # [N, bins, P]
        planes.append((near[0] * brightness[:, None]) @ near[1].transpose(1, 2))
    histogram = torch.stack(planes, 1)
    return histogram / (histogram.sum((1, 2, 3), keepdim=True) + 1e-8) + 1e-10


def _reduced(pictures: Tensor) -> Tensor:
    """[NCRR] → [NC, 32, 32] by averaging."""
    return F.adaptive_avg_pool2d(pictures, _SIDE)


def _gaussian(pictures: Tensor) -> Tensor:
    """Low pass with zeros outside. [NCRR] → the same."""
    steps = torch.arange(-6, 7, device=pictures.device, dtype=pictures.dtype)
    taps = torch.exp(-0.5 * (steps / _SIGMA).square())
    kernel = (taps / taps.sum()).expand(pictures.shape[1], 1, 1, -1)
    across = F.conv2d(pictures, kernel, padding=(0, 6), groups=pictures.shape[1])
    return F.conv2d(across, kernel.transpose(2, 3), padding=(6, 0), groups=pictures.shape[1])
