# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoder's one pass."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.bundles.bundle import Bundle
from lifelike.networks.encoder import Latent


@torch.inference_mode()
def invert(bundle: Bundle, portraits: Tensor) -> Latent:
    """One pass of the encoder (the paper does not say how it inverts; e4e's form is reconstructed).

    Args:
        portraits: [N3RR] float32, −1…1, R the bundle's resolution; scaled down where the encoder reads smaller ones.

    Returns:
        The latents of N portraits, on the bundle's device.
    """
    portraits = portraits.to(bundle.device, memory_format=torch.channels_last)
    side = bundle.encoder.settings.resolution
    if portraits.shape[-1] != side:
        # e4e reads 256 pixels of whatever resolution its generator has (arXiv 2102.02766, its published code).
        portraits = F.interpolate(portraits, (side, side), mode="bilinear", align_corners=False, antialias=True)
    latent: Latent = bundle.encoder(portraits)
    return latent
