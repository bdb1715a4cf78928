# SPDX-License-Identifier: GPL-3.0-or-later
"""The running average of a network's weights, which is what a run gives away in the end."""

from __future__ import annotations

import copy
from typing import TypeVar

import torch
from torch import Tensor, nn

Network = TypeVar("Network", bound=nn.Module)


def average_of(network: Network) -> Network:
    """A copy to be updated by `update_average`, without gradients, in evaluation mode."""
    return copy.deepcopy(network).eval().requires_grad_(False)


@torch.no_grad()
def update_average(
    average: nn.Module, network: nn.Module, pictures: int, batch: int, half_life: float = 10_000.0, ramp: float = 0.05
) -> None:
    """Move the average towards the network: weights of `half_life` pictures ago count half.

    Early on the half-life is `ramp` times the pictures seen, so that the first weights are soon forgotten
    (stylegan2-ada-pytorch's ``ema_kimg`` 10 and ``ema_rampup`` 0.05). Buffers are copied.

    Args:
        pictures: seen before this update. batch: pictures of this update.
    """
    lasting = min(half_life, (pictures + batch) * ramp)
    beta = 0.5 ** (batch / max(lasting, 1e-8))
    mine: list[Tensor] = list(average.parameters())
    torch._foreach_lerp_(mine, [p.detach() for p in network.parameters()], 1 - beta)
    for kept, new in zip(average.buffers(), network.buffers(), strict=True):
        kept.copy_(new)
