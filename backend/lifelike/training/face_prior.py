# SPDX-License-Identifier: GPL-3.0-or-later
"""Where skin, hair and lips are in an aligned portrait that comes without landmarks."""

from __future__ import annotations

import torch
from torch import Tensor

# On the paired heads FFHQ's alignment puts the eyes at 0.47 and the chin at 0.92 of the height, the ends of the jaw at
# 0.23 and 0.78 of the width (means); around them there is room for hair.
_CENTRE = (0.5, 0.5)
_RADII = (0.36, 0.46)
_EDGE = 0.12  # over which it falls from one to zero, in radii


def face_prior(resolution: int) -> Tensor:
    """[1, 1, R, R], one over the head of an FFHQ-aligned portrait, falling softly to zero outside. Reconstructed."""
    places = (torch.arange(resolution) + 0.5) / resolution
    x, y = (places - _CENTRE[0]) / _RADII[0], (places - _CENTRE[1]) / _RADII[1]
    radius = (x[None, :].square() + y[:, None].square()).sqrt()
    return ((1 + _EDGE - radius) / (2 * _EDGE)).clamp(0, 1)[None, None]
