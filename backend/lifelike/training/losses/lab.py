# SPDX-License-Identifier: GPL-3.0-or-later
"""sRGB to CIE Lab, differentiable, so that distances of colours are about what the eye sees."""

from __future__ import annotations

import torch
from torch import Tensor

# Rows: X, Y, Z of linear sRGB (IEC 61966-2-1), each divided by the white point D65's.
_TO_XYZ = torch.tensor(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / torch.tensor([[0.95047], [1.0], [1.08883]])
_KNEE = 6 / 29


def srgb_to_lab(pictures: Tensor) -> Tensor:
    """[N3RR] display values, −1…1 → [N3RR] L, a, b, each divided by 100: lightness 0…1, a and b about −1…1.

    CIE 15:2004, section 8.2.1. Values outside −1…1, as generators give them, are continued smoothly and not clipped,
    so that they keep their gradient.
    """
    display = (pictures.float() + 1) / 2
    linear = torch.where(display > 0.04045, ((display.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4), display / 12.92)
    xyz = torch.einsum("xc,nchw->nxhw", _TO_XYZ.to(linear.device), linear)
    root = xyz.clamp(min=_KNEE**3).pow(1 / 3)
    f = torch.where(xyz > _KNEE**3, root, xyz / (3 * _KNEE**2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([1.16 * y - 0.16, 5 * (x - y), 2 * (y - z)], 1)
