# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of loss terms that set themselves: each term's pull on the weights stays in a band beside the leading one's.

The terms of a fine-tuning come in units of their own, and what they weigh beside the adversarial one changes with the
data, the resolution and the progress of a run. So the norm of each term's gradient is measured now and then, and a
factor brings the product weight · norm into a band relative to the leading term's norm. That each gradient's norm
should be 0.1–1 of the adversarial one is how weights are tuned by hand; measuring it in the run is ours, in the spirit
of the adaptive weight of VQGAN (Esser et al., arXiv 2012.09841, equation 7).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

LARGEST = 1e4  # factor either way: a term whose gradient has vanished is not to be blown up


def gradient_norm(term: Tensor, places: Sequence[Tensor]) -> Tensor:
    """‖∂term/∂places‖₂ over all places together, []; the graph is kept. Places the term does not reach count zero."""
    gradients = torch.autograd.grad(term, places, retain_graph=True, allow_unused=True)
    found = [gradient.float() for gradient in gradients if gradient is not None]
    return torch.nn.utils.get_total_norm(found) if found else term.new_zeros(())


class GradientBalance:
    """Running norms of terms and the factors that follow from them.

    Args:
        balanced: names of the terms that get a factor; all others keep 1.
        low, high: the band for weight · factor · norm, in norms of the leading term.
        memory: share that stays of a running norm when a new one is measured.
    """

    def __init__(self, balanced: Sequence[str], low: float = 0.1, high: float = 1.0, memory: float = 0.8) -> None:
        self.balanced, self.low, self.high, self.memory = tuple(balanced), low, high, memory
        self.norms: dict[str, float] = {}
        self.factors: dict[str, float] = dict.fromkeys(balanced, 1.0)

    def update(self, norms: Mapping[str, float], weights: Mapping[str, float], leading: str) -> None:
        """Take in newly measured norms of the unweighted terms and move the factors.

        A factor that puts its term inside the band stays; one outside moves to the band's nearer edge. Norms that are
        zero or not finite say nothing and are passed over.

        Args:
            weights: of the terms, as set by hand; the leading term's norm counts with its weight too.
        """
        for name, norm in norms.items():
            if 0 < norm < float("inf"):
                self.norms[name] = self.memory * self.norms.get(name, norm) + (1 - self.memory) * norm
        lead = self.norms.get(leading, 0.0) * weights[leading]
        for name in self.balanced:
            own = self.norms.get(name, 0.0) * weights.get(name, 0.0)
            if lead > 0 and own > 0:
                share = own * self.factors[name] / lead
                wanted = min(max(share, self.low), self.high) / share
                self.factors[name] = min(max(self.factors[name] * wanted, 1 / LARGEST), LARGEST)

    def factor(self, name: str) -> float:
        """What the weight of a term is multiplied with."""
        return self.factors.get(name, 1.0)

    def state_dict(self) -> dict[str, dict[str, float]]:
        """Plain numbers, for a checkpoint."""
        return {"norms": dict(self.norms), "factors": dict(self.factors)}

    def load_state_dict(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Continue from `state_dict()`; terms that are balanced no more are dropped."""
        self.norms = dict(state["norms"])
        self.factors = {name: state["factors"].get(name, 1.0) for name in self.balanced}
