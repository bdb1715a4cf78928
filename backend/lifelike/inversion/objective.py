# SPDX-License-Identifier: GPL-3.0-or-later
"""What refinement and tuning bring down: how far a generated portrait is from the one that was inverted."""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.training.losses.reconstruction import pyramid_l1

IDENTITY = 0.1  # pSp, e4e
BACKDROP = 0.25  # as in the training of pairs: the face counts fully, what is around it a quarter


class Objective:
    """The distance of generated portraits from N given ones.

        mean (G(w⁺) − x)² + pyramid L1 + 0.1 · (1 − cos(R(G(w⁺)), R(x)))

    The usual terms of optimisation in W+ (Abdal et al., arXiv 1904.03189; the identity as in pSp), with the L1 pyramid
    where those have a perceptual distance, which needs weights that are not ours to ship. Everything is told for each
    portrait apart, so that one does not change what becomes of another.

    Args:
        bundle: whose identity network takes part, where it has one.
        portraits: [N3RR] float32, −1…1; copied, since tensors made in inference mode know no gradients.
        faces: [N1RR], 0…1, where the face is; None: everywhere.
    """

    def __init__(self, bundle: Bundle, portraits: Tensor, faces: Tensor | None = None) -> None:
        self.portraits = portraits.to(bundle.device).clone()
        everywhere = torch.ones_like(self.portraits[:, :1])
        face = everywhere if faces is None else faces.to(bundle.device).clone()
        self.weight = BACKDROP + (1 - BACKDROP) * face
        self._identity = bundle.identity
        if self._identity is not None:
            with torch.no_grad():
                self._known = self._identity(self.portraits)

    def loss(self, shown: Tensor) -> Tensor:
        """[N3RR] → [N], what is descended."""
        squares = (self.weight * (shown - self.portraits).square()).mean((1, 2, 3))
        parts = (shown.split(1), self.portraits.split(1), self.weight.split(1))
        total = squares + torch.stack([pyramid_l1(*one) for one in zip(*parts, strict=True)])
        if self._identity is not None:
            total = total + IDENTITY * (1 - (self._identity(shown) * self._known).sum(1))
        return total

    def error(self, shown: Tensor) -> Tensor:
        """[N3RR] → [N], the root mean square of the difference in display values 0…1: what a person is told."""
        with torch.no_grad():
            return ((shown.clamp(-1, 1) - self.portraits) / 2).square().mean((1, 2, 3)).sqrt()
