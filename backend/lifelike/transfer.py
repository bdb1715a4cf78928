# SPDX-License-Identifier: GPL-3.0-or-later
"""Step four of the method: the latent of a render decoded in the photo look.

The generator pair shares one latent space (stated in the abstract, arXiv 2310.04194). `decode` shows
G_s(w⁺), with what the inversion lost restored from the input where the face's regions are known; `difference` shows
x + G_s(w⁺) − G_render(w⁺) (reconstructed), which keeps all that inversion lost.
G_s has weights between the two generators', G_render + s · (G_photo − G_render); strength 1 is the paper's.
A bundle without a render generator decodes with G_photo alone, and strength leads from the portrait to that picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.execution.acceleration import as_fast_as
from lifelike.faces.regions import Regions
from lifelike.inversion import WeightChange, invert
from lifelike.networks.encoder import Latent
from lifelike.networks.sharing import synthesis_over
from lifelike.networks.stylegan2 import SynthesisNetwork
from lifelike.restoration import needed, restore
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method, Restoration

SINGLE_MODE = (
    "The bundle has one generator only: the portrait was inverted to its photographs and decoded by it, "
    "which keeps the person less well than a pair does."
)


class Transfer:
    """Applies a bundle's generator pair; keeps the last generator in between, since strength rarely changes."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._between: tuple[float, SynthesisNetwork] | None = None

    @torch.inference_mode()
    def apply(
        self,
        portraits: Tensor,
        latent: Latent,
        method: Method = Method.BUNDLE,
        strength: float = 1.0,
        *,
        change: WeightChange | None = None,
        regions: Regions | None = None,
        restoration: Restoration | None = None,
    ) -> Tensor:
        """Portraits in the photo look.

        Args:
            portraits: [N3RR] float32, −1…1: what was inverted.
            latent: what `invert` made of them.
            method: BUNDLE takes the card's; not looked at in single-generator mode.
            strength: 0…1.
            change: what tuning found, added to both generators.
            regions: of the faces; without them a decode is the plain one.
            restoration: how much of the input comes back to a decode; None: the defaults.

        Returns:
            [N3RR] float32, −1…1, on the CPU.

        Raises:
            LifelikeError: INVALID_SETTING for a strength outside 0…1; INVALID_BUNDLE where the networks' values are
                not finite.
        """
        if not 0.0 <= strength <= 1.0:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, f"Strength must lie in 0…1, not at {strength}.", "Choose a value between."
            )
        method = self.method(method)
        network, render = self.generator(strength), self.bundle.inverted.synthesis
        made = self._decoded(network, latent, change)
        restoration = restoration or Restoration()
        restoring = method is Method.DECODE and regions is not None and needed(restoration)
        if method is Method.DIFFERENCE or restoring:
            inverted = made if network is render else self._decoded(render, latent, change)
            residual = portraits.to(made.device) - inverted
            made = restore(made, residual, regions, restoration) if restoring and regions else made + residual
        if self.bundle.single:
            made = portraits.to(made.device).lerp(made, strength)
        made = made.cpu()
        if not made.isfinite().all():
            raise LifelikeError(
                ErrorCode.INVALID_BUNDLE,
                f"The networks of the bundle {self.bundle.card.name} gave values that are not finite.",
                "Choose another bundle, or start the backend with --precision fp32.",
            )
        return made.clamp(-1, 1)

    def method(self, wished: Method) -> Method:
        """DECODE or DIFFERENCE, where BUNDLE takes the card's; a bundle in single-generator mode can only decode."""
        if self.bundle.single:
            return Method.DECODE
        return self.bundle.card.method if wished is Method.BUNDLE else wished

    def generator(self, strength: float) -> SynthesisNetwork:
        """G_s; the generators themselves at the ends. Where there is only one, it is that one."""
        photo, render = self.bundle.photo.synthesis, self.bundle.inverted.synthesis
        if strength in (0.0, 1.0) or self.bundle.single:
            return photo if strength else render
        between = self._between  # another thread may keep another one meanwhile
        if between is None or between[0] != strength:
            ends = zip(render.named_parameters(), photo.parameters(), strict=True)
            with torch.no_grad():
                weights = {name: a.lerp(b, strength) for (name, a), b in ends}
            self._between = between = (strength, as_fast_as(render, synthesis_over(render, weights)))
        return between[1]

    @staticmethod
    def _decoded(network: SynthesisNetwork, latent: Latent, change: WeightChange | None) -> Tensor:
        network = network if change is None else as_fast_as(network, change.added_to(network))
        picture: Tensor = network(latent.ws, features=latent.features)
        return picture


def transfer_portraits(
    bundle: Bundle, portraits: Tensor, method: Method = Method.BUNDLE, strength: float = 1.0
) -> Tensor:
    """Invert and transfer aligned portraits: [N3RR] float32, −1…1 → the same. For evaluation and scripts."""
    return Transfer(bundle).apply(portraits, invert(bundle, portraits), method, strength)
