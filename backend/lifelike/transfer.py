# SPDX-License-Identifier: GPL-3.0-or-later
"""Step four of the method: the latent of a render decoded in the photo look.

The generator pair shares one latent space (stated in the abstract, arXiv 2310.04194). `decode` shows
G_s(w⁺); `difference` shows x + G_s(w⁺) − G_render(w⁺) (reconstructed), which keeps what inversion lost.
G_s has weights between the two generators', G_render + s · (G_photo − G_render); strength 1 is the paper's.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.inversion import invert
from lifelike.networks.encoder import Latent
from lifelike.networks.stylegan2 import SynthesisNetwork
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method


class Transfer:
    """Applies a bundle's generator pair; keeps the last generator in between, since strength rarely changes."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._between: tuple[float, SynthesisNetwork] | None = None

    @torch.inference_mode()
    def apply(self, portraits: Tensor, latent: Latent, method: Method = Method.BUNDLE, strength: float = 1.0) -> Tensor:
        """Portraits in the photo look.

        Args:
            portraits: [N3RR] float32, −1…1: what was inverted.
            latent: what `invert` made of them.
            method: BUNDLE takes the card's.
            strength: 0…1.

        Returns:
            [N3RR] float32, −1…1, on the CPU.

        Raises:
            LifelikeError: INVALID_SETTING for a strength outside 0…1.
        """
        if not 0.0 <= strength <= 1.0:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, f"Strength must lie in 0…1, not at {strength}.", "Choose a value between."
            )
        method = self.bundle.card.method if method is Method.BUNDLE else method
        made = self.generator(strength)(latent.ws, features=latent.features)
        if method is Method.DIFFERENCE:
            inverted = self.bundle.render.synthesis(latent.ws, features=latent.features)
            made = portraits.to(made.device) + made - inverted
        return made.clamp(-1, 1).cpu()

    def generator(self, strength: float) -> SynthesisNetwork:
        """G_s; the generators themselves at the ends."""
        photo, render = self.bundle.photo.synthesis, self.bundle.render.synthesis
        if strength in (0.0, 1.0):
            return photo if strength else render
        if self._between is None or self._between[0] != strength:
            between = copy.deepcopy(render) if self._between is None else self._between[1]
            with torch.no_grad():
                for value, a, b in zip(between.parameters(), render.parameters(), photo.parameters(), strict=True):
                    value.copy_(a.lerp(b, strength))
            self._between = (strength, between)
        return self._between[1]


def transfer_portraits(
    bundle: Bundle, portraits: Tensor, method: Method = Method.BUNDLE, strength: float = 1.0
) -> Tensor:
    """Invert and transfer aligned portraits: [N3RR] float32, −1…1 → the same. For evaluation and scripts."""
    return Transfer(bundle).apply(portraits, invert(bundle, portraits), method, strength)
