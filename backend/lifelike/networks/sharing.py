# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthesis networks over somebody else's tensors."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from lifelike.networks.stylegan2 import SynthesisNetwork
from lifelike.networks.unfilled import unfilled


def synthesis_over(network: SynthesisNetwork, changed: Mapping[str, Tensor] | None = None) -> SynthesisNetwork:
    """A network that computes with the tensors of `network`, except for those in `changed`.

    Nothing is copied, so a thousand of them take the memory of one, and nothing of `network` is touched, so that
    whoever computes with it at the same time sees no difference. It is the plain network, whatever has been done to
    make `network` fast, and gradients go through it.

    Args:
        network: frozen, on any device.
        changed: by the names of `network.state_dict()`, of the same shapes.
    """
    with unfilled():
        over = SynthesisNetwork(network.settings)
    state = {name: value.detach() for name, value in network.state_dict().items()}
    over.load_state_dict({**state, **(changed or {})}, assign=True)
    return over.eval().requires_grad_(False)
