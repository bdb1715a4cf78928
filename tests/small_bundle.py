# SPDX-License-Identifier: GPL-3.0-or-later
"""An untrained bundle of every network, small enough to be made in a test."""

from __future__ import annotations

from typing import Any

import torch

from lifelike.bundles import Bundle, BundleCard
from lifelike.networks.e4e import E4eSettings
from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.stylegan2 import GeneratorSettings


def small_bundle(*, identity: bool = True, pair: bool = True, published: bool = False) -> Bundle:
    """64 px, a few channels; the two generators differ, so that a transfer changes something.

    pair: whether there is a render generator. published: encoder and identity network of the published kinds, narrow.
    """
    torch.manual_seed(3)
    generator = GeneratorSettings(64, channel_base=512, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)
    encoder: EncoderSettings | E4eSettings = EncoderSettings(
        64,
        num_ws=generator.num_ws,
        w_dim=16,
        width=8,
        width_max=16,
        gathered=8,
        feature_resolutions=(16, 32),
        feature_channels=(16, 16),
    )
    recogniser: dict[str, Any] = {}
    if published:
        encoder = E4eSettings(64, generator.num_ws, 16, widths=(16, 16, 16, 16), blocks=(1, 1, 1, 1))
        recogniser = {"architecture": "ir_se50", "widths": [16, 16, 16, 16], "blocks": [1, 1, 1, 1], "embedding": 8}
    card = BundleCard(
        name="small",
        description="Untrained, for tests.",
        licence="CC0-1.0",
        generator=generator,
        encoder=encoder,
        identity=recogniser if identity else None,
        pair=pair,
    )
    bundle = Bundle(card)
    with torch.no_grad():
        bundle.photo.synthesis.b64.torgb.bias.copy_(torch.tensor([0.3, 0.0, -0.3]))
    return bundle
