# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes that stay where the generator knows its way."""

from __future__ import annotations

from torch import Tensor


def latent_offsets(ws: Tensor) -> Tensor:
    """Mean squared distance of each layer's w from the first (e4e, arXiv 2102.02766, equation 5). ws: [N, L, w_dim]."""
    return (ws[:, 1:] - ws[:, :1]).square().mean()
