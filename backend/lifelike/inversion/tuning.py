# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional pivotal tuning: the generators' weights moved so that they show this one portrait.

Roich et al., "Pivotal Tuning for Latent-based Editing of Real Images" (arXiv 2106.05744), section 3.2: the latent stays
(the pivot), the weights of the generator descend the distance from the portrait. Their locality regularisation
(section 3.3) holds what the tuned generator makes of other latents to what it made before. That the change found on
G_render is added to G_photo as well, without which it would be lost at the transfer, is reconstructed.
"""

from __future__ import annotations

import torch
from attrs import frozen
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.inversion.descent import Tell, descend
from lifelike.inversion.objective import Objective
from lifelike.networks.encoder import Latent
from lifelike.networks.sharing import synthesis_over
from lifelike.networks.stylegan2 import SynthesisNetwork
from lifelike.training.losses.reconstruction import pyramid_l1

RATE = 3e-4  # Roich et al., appendix B
LOCALITY = 0.1  # λ_R, Roich et al., equation 6
TOWARDS = 0.5  # reconstructed: how far from the pivot to a drawn w; their α = 30 is a length in the w of FFHQ's weights
SEED = 0  # the same portrait gets the same change


@frozen
class WeightChange:
    """What tuning found: {name in a synthesis network: what to add to that tensor}, for G_render and G_photo alike."""

    tensors: dict[str, Tensor]

    def added_to(self, network: SynthesisNetwork) -> SynthesisNetwork:
        """A plain network with the changed weights; all others are `network`'s own, which itself stays as it is."""
        state = network.state_dict()
        with torch.no_grad():
            return synthesis_over(network, {name: state[name] + change for name, change in self.tensors.items()})


def tuned_names(network: SynthesisNetwork) -> list[str]:
    """The weights that tuning moves: those of the convolutions and of ToRGB.

    Not the layers from w to styles, which are most of the numbers and say what a latent means.
    """
    return [name for name, _ in network.named_parameters() if ".affine." not in name and name != "b4.const"]


def tune(
    bundle: Bundle,
    portrait: Tensor,
    pivot: Latent,
    steps: int,
    tell: Tell = lambda step, error: None,
    face: Tensor | None = None,
    *,
    rate: float = RATE,
) -> WeightChange:
    """A change of the generators' weights with which G_render shows the pivot more like the portrait.

    Memory: the tuned weights three times (a copy, Adam's two moments) and what one pass with gradients takes.

    Args:
        portrait: [13RR] float32, −1…1: weights are tuned for one face.
        pivot: its latent.
        steps: at most; ends earlier when nothing gets better.
        tell: as for `refine`.
        face: [11RR], 0…1, where the face is, which counts more; None: everywhere.
        rate: Adam's.

    Returns:
        Without a graph, on the bundle's device; of zeros where nothing better was found. The bundle stays as it is.
    """
    with torch.inference_mode(False), torch.enable_grad():
        objective = Objective(bundle, portrait, face)
        ws, features = pivot.ws.clone(), {side: code.clone() for side, code in pivot.features.items()}
        original = synthesis_over(bundle.inverted.synthesis)
        weights = {name: original.get_parameter(name).clone() for name in tuned_names(original)}
        tuned = synthesis_over(bundle.inverted.synthesis, weights)
        moving = [tuned.get_parameter(name).requires_grad_(True) for name in weights]
        random = torch.Generator().manual_seed(SEED)

        def measure(step: int) -> tuple[Tensor, Tensor, Tensor]:
            shown = tuned(ws, features=features)
            loss = objective.loss(shown)
            elsewhere = change_at(nearby(bundle, ws, random), features, tuned, original)
            return loss.sum() + LOCALITY * elsewhere, loss, objective.error(shown)

        found = descend([(moving, rate)], measure, steps, tell)
        return WeightChange(
            {name: best - original.get_parameter(name) for name, best in zip(weights, found, strict=True)}
        )


def nearby(bundle: Bundle, pivot: Tensor, random: torch.Generator) -> Tensor:
    """A code between the pivot [1, num_ws, w_dim] and a drawn w, the same way from every layer's."""
    z = torch.randn(1, bundle.photo.settings.z_dim, generator=random).to(pivot.device)
    with torch.no_grad():
        return pivot.lerp(bundle.photo.w_plus(bundle.photo.mapping(z)), TOWARDS)


def change_at(ws: Tensor, features: dict[int, Tensor], tuned: SynthesisNetwork, original: SynthesisNetwork) -> Tensor:
    """How differently two networks show a latent: mean square and L1 pyramid (Roich et al., equation 5)."""
    shown = tuned(ws, features=features)
    with torch.no_grad():
        before = original(ws, features=features)
    return (shown - before).square().mean() + pyramid_l1(shown, before, torch.ones_like(shown[:, :1]))
