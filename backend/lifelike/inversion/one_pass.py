# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoder's one pass."""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.networks.encoder import Latent
from lifelike.networks.encoders import encode


@torch.inference_mode()
def invert(bundle: Bundle, portraits: Tensor) -> Latent:
    """One pass of the encoder (the paper does not say how it inverts; e4e's form is reconstructed).

    Args:
        portraits: [N3RR] float32, −1…1, R the bundle's resolution; scaled down where the encoder reads smaller ones.

    Returns:
        The latents of N portraits, on the bundle's device.

    Raises:
        LifelikeError: INVALID_BUNDLE for a bundle without an encoder.
    """
    encoder = bundle.needed_encoder()
    portraits = portraits.to(bundle.device, memory_format=torch.channels_last)
    return encode(encoder, portraits)
