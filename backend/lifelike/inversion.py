# SPDX-License-Identifier: GPL-3.0-or-later
"""Step three of the method: a render's portrait becomes a latent of G_render."""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.networks.encoder import Latent


@torch.inference_mode()
def invert(bundle: Bundle, portraits: Tensor) -> Latent:
    """One pass of the encoder (the paper does not say how it inverts; e4e's form is reconstructed).

    Args:
        portraits: [N3RR] float32, −1…1, R the bundle's resolution.

    Returns:
        The latents of N portraits, on the bundle's device.
    """
    latent: Latent = bundle.encoder(portraits.to(bundle.device, memory_format=torch.channels_last))
    return latent
