# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the built-in bundle's pictures in bf16 are from those in fp32."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lifelike.bundles import load_bundle
from lifelike.execution.acceleration import fuse, prepare
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.small_encoder import fuse_small_encoder
from lifelike.inversion import invert
from lifelike.networks.encoder import Encoder

DECIBELS = 40.0


@torch.inference_mode()
def test_bf16_is_hard_to_see_on_the_built_in_bundle(kernels: Kernels, shared_folder: Path) -> None:
    if not kernels.half:
        pytest.skip("this processor does not multiply bf16")
    bundle = load_bundle()
    side = bundle.card.resolution
    with Image.open(shared_folder / "heads" / "00040_0_render.webp") as picture:
        pixels = np.array(picture.convert("RGB").resize((side, side)), np.float32)
    portrait = torch.from_numpy(pixels).permute(2, 0, 1)[None] / 127.5 - 1
    latent = invert(bundle, portrait)
    assert isinstance(bundle.encoder, Encoder)
    fuse_small_encoder(bundle.encoder, kernels, half=True)
    rounded = invert(bundle, portrait)
    for generator in (bundle.photo, bundle.render):
        assert generator is not None
        plain = generator.synthesis(latent.ws, features=latent.features).clamp(-1, 1)
        fuse(generator.synthesis, kernels, half=True)
        fused = generator.synthesis(latent.ws, features=latent.features).clamp(-1, 1)
        prepare(generator.synthesis, torch.bfloat16)
        prepared = generator.synthesis(latent.ws, features=latent.features).clamp(-1, 1)
        inverted = generator.synthesis(rounded.ws, features=rounded.features).clamp(-1, 1)
        for shown in (fused, prepared, inverted):
            error = float((shown - plain).square().mean())
            assert 10 * math.log10(4 / error) > DECIBELS  # the range is 2
