# SPDX-License-Identifier: GPL-3.0-or-later
"""An untrained bundle of every network, small enough to be made in a test."""

from __future__ import annotations

import torch

from lifelike.bundles import Bundle, BundleCard
from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.stylegan2 import GeneratorSettings


def small_bundle(*, identity: bool = True) -> Bundle:
    """64 px, a few channels; the two generators differ, so that a transfer changes something."""
    torch.manual_seed(3)
    generator = GeneratorSettings(64, channel_base=512, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)
    encoder = EncoderSettings(
        64,
        num_ws=generator.num_ws,
        w_dim=16,
        width=8,
        width_max=16,
        gathered=8,
        feature_resolutions=(16, 32),
        feature_channels=(16, 16),
    )
    card = BundleCard(
        name="small",
        description="Untrained, for tests.",
        licence="CC0-1.0",
        generator=generator,
        encoder=encoder,
        identity={} if identity else None,
    )
    bundle = Bundle(card)
    with torch.no_grad():
        bundle.photo.synthesis.b64.torgb.bias.copy_(torch.tensor([0.3, 0.0, -0.3]))
        for generator_network in (bundle.photo, bundle.render):
            for noise in [name for name, _ in generator_network.named_buffers() if name.endswith("noise_const")]:
                generator_network.get_buffer(noise).copy_(bundle.photo.get_buffer(noise))
    return bundle
