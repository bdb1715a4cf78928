# SPDX-License-Identifier: GPL-3.0-or-later
"""Optional refinement of step three: the encoder's W+ code moved so that G_render shows the portrait more closely.

Reconstructed; the paper does not say that it refines. Descends

    mean (G_render(w⁺) − x)² + pyramid L1 + 0.1 · (1 − cos(R(G_render(w⁺)), R(x))) + pull · mean (w⁺ − E(x))²

over w⁺ for some tens of steps of Adam: the usual optimisation in W+ (Abdal et al., arXiv 1904.03189), with the L1
pyramid where that has a perceptual distance, and a pull to the encoder's code so that w⁺ never leaves where G_photo
is photographic.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.networks.encoder import Latent
from lifelike.training.losses.identity import identity
from lifelike.training.losses.reconstruction import pyramid_l1

IDENTITY = 0.1  # pSp, e4e
PULL = 1.0  # reconstructed: per variance of w about what the other terms weigh


def refine(bundle: Bundle, portraits: Tensor, latent: Latent, steps: int = 30, rate: float = 0.02) -> Latent:
    """A closer latent of the same portraits; feature codes stay as they are.

    Args:
        portraits: [N3RR] float32, −1…1.
        latent: what the encoder gave.
        steps, rate: of Adam.

    Returns:
        On the bundle's device, without a graph.
    """
    with torch.inference_mode(False), torch.enable_grad():
        # Tensors made in inference mode know no gradients: copies do.
        target, first = portraits.to(bundle.device).clone(), latent.ws.clone()
        features = {resolution: code.clone() for resolution, code in latent.features.items()}
        everywhere = torch.ones_like(target[:, :1])
        known = None if bundle.identity is None else bundle.identity(target).detach()
        ws = first.clone().requires_grad_(True)
        optimiser = torch.optim.Adam([ws], rate)
        for _ in range(steps):
            shown = bundle.render.synthesis(ws, features=features)
            loss = (shown - target).square().mean() + pyramid_l1(shown, target, everywhere)
            loss = loss + PULL * (ws - first).square().mean()
            if bundle.identity is not None and known is not None:
                loss = loss + IDENTITY * identity(bundle.identity(shown), known)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    return Latent(ws.detach(), latent.features)
