# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional refinement: the encoder's latent moved so that G_render shows the portrait more closely.

Reconstructed; the paper does not say that it refines. The usual optimisation in W+ (Abdal et al., arXiv 1904.03189)
from the encoder's code, with a pull back to it so that w⁺ does not leave where G_photo is photographic. Feature codes,
where the bundle has them, are moved too: docs/inversion.md measures what each of the two brings.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.inversion.descent import Tell, descend
from lifelike.inversion.objective import Objective
from lifelike.networks.encoder import Latent
from lifelike.networks.sharing import synthesis_over

PULL = 0.1  # reconstructed: on the mean squared distance from the encoder's W+ code
RATE = 0.01  # Abdal et al., section 5
FEATURE_RATE = 0.004  # docs/inversion.md: with more, the first steps lose what the encoder found


def refine(
    bundle: Bundle,
    portraits: Tensor,
    latent: Latent,
    steps: int = 30,
    tell: Tell = lambda step, error: None,
    faces: Tensor | None = None,
    *,
    rate: float = RATE,
    feature_rate: float = FEATURE_RATE,
) -> Latent:
    """A closer latent of the same portraits, or the same one where none is found.

    Args:
        portraits: [N3RR] float32, −1…1.
        latent: what the encoder gave.
        steps: at most; ends earlier when nothing gets better.
        tell: called before each step with its number and the error (`Objective.error`) of the best so far; what it
            raises ends the refinement.
        faces: [N1RR], 0…1, where the face is, which counts more; None: everywhere.
        rate, feature_rate: Adam's, for the W+ code and for feature codes; 0 leaves those as they are.

    Returns:
        On the bundle's device, without a graph.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # Tensors made in inference mode know no gradients: copies do.
        objective, first = Objective(bundle, portraits, faces), latent.ws.clone()
        ws = first.clone().requires_grad_(rate > 0)
        features = {side: code.clone().requires_grad_(feature_rate > 0) for side, code in latent.features.items()}
        groups = [([ws], rate), (list(features.values()), feature_rate)]
        synthesis = synthesis_over(bundle.inverted.synthesis)

        def measure(step: int) -> tuple[Tensor, Tensor, Tensor]:
            shown = synthesis(ws, features=features)
            loss = objective.loss(shown) + PULL * (ws - first).square().mean((1, 2))
            return loss.sum(), loss, objective.error(shown)

        moved = descend([group for group in groups if group[1] > 0 and group[0]], measure, steps, tell)
    if rate > 0:
        ws, *moved = moved
    return Latent(ws.detach(), dict(zip(features, moved, strict=True)) if feature_rate > 0 else latent.features)
