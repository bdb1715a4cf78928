# SPDX-License-Identifier: GPL-3.0-or-later
"""W+ codes that stay near W: few offsets at first, short ones later, and none that a critic could tell from drawn ones.

e4e (Tov et al., arXiv 2102.02766), section 4.1.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from lifelike.networks.stylegan2 import Linear
from lifelike.training.encoder.settings import ProgressiveSettings


def free_layers(fraction: float, layers: int, settings: ProgressiveSettings) -> int:
    """How many of the layers after the first may differ from it at this share of the run: 0…layers − 1.

    e4e, section 4.1.1: one more from time to time, so that the code starts in W and leaves it late.
    """
    if fraction < settings.begins:
        return 0
    if fraction >= settings.ends:
        return layers - 1
    share = (fraction - settings.begins) / (settings.ends - settings.begins)
    return min(1 + int(share * (layers - 1)), layers - 1)


def limited(ws: Tensor, free: int) -> Tensor:
    """W+ codes [N, L, w_dim] whose layers after the first `free` + 1 repeat the first."""
    first = ws[:, :1]
    return torch.cat([ws[:, : free + 1], first.expand(-1, ws.shape[1] - free - 1, -1)], 1)


def offset_lengths(ws: Tensor) -> Tensor:
    """Σ ‖Δᵢ‖₂ over the layers, mean over the batch (e4e, equation 5). ws: [N, L, w_dim]."""
    apart = (ws[:, 1:] - ws[:, :1]).float()
    return (apart.square().sum(2) + 1e-12).sqrt().sum(1).mean()


class LatentCritic(nn.Module):
    """w → logit, high for codes like the mapping network's (Nitzan et al., arXiv 2005.07728, section 3.3; four layers
    as in e4e)."""

    def __init__(self, w_dim: int, width: int = 512) -> None:
        super().__init__()
        sizes = [w_dim, width, width, width]
        self.layers = nn.ModuleList(Linear(a, b) for a, b in pairwise(sizes))
        self.last = Linear(width, 1)

    def forward(self, ws: Tensor) -> Tensor:
        """[N, w_dim] → [N, 1]."""
        x = ws
        for layer in self.layers:
            x = layer(x, activate=True)
        logits: Tensor = self.last(x)
        return logits
