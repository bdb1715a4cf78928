# SPDX-License-Identifier: GPL-3.0-or-later
"""e4e, the small encoder and ArcFace by the compiled kernels give what they give without."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lifelike.execution.acceleration import fuse_encoder, fuse_units
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.small_encoder import fuse_small_encoder
from lifelike.networks.arcface import ArcFace
from lifelike.networks.e4e import E4e, E4eSettings
from lifelike.networks.encoder import Encoder, EncoderSettings


def with_used_norms(network: nn.Module) -> nn.Module:
    """As after a training: the running figures are not 0 and 1."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d):
            for value, low, high in (
                (part.weight, 0.5, 1.5), (part.bias, -0.3, 0.3), (part.running_mean, -0.3, 0.3),
                (part.running_var, 0.5, 1.5),
            ):  # fmt: skip
                nn.init.uniform_(value, low, high)
    return network.eval().requires_grad_(False)


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-4), (True, 0.1)], ids=["fp32", "bf16"])
def test_e4e_gives_the_same_codes(kernels: Kernels, half: bool, tolerance: float) -> None:
    if half and not kernels.half:
        pytest.skip("this processor does not multiply bf16")
    torch.manual_seed(0)
    # Wide enough for both ways a unit is computed, on few and on many pixels; 24 is no whole number of vectors.
    encoder = E4e(E4eSettings(64, num_ws=8, w_dim=16, widths=(16, 24, 32, 272), blocks=(2, 2, 2, 2)))
    with_used_norms(encoder).to(memory_format=torch.channels_last)
    portraits = torch.rand(2, 3, 64, 64) - 0.5
    plain = encoder.codes(portraits.requires_grad_(True)).detach()
    fuse_encoder(encoder, kernels, half)
    with torch.inference_mode():
        fused = encoder.codes(portraits)
    assert (fused - plain).abs().max() < tolerance * plain.std()
    assert not torch.equal(fused, plain)  # the kernels did it
    assert torch.equal(encoder.codes(portraits).detach(), plain)  # with gradients the plain network


def test_arcface_gives_the_same_embeddings_on_sides_that_are_no_whole_tiles(kernels: Kernels) -> None:
    torch.manual_seed(0)
    network = ArcFace({"widths": (16, 16, 32, 32), "blocks": (1, 2, 2, 2)})
    with_used_norms(network)
    crops = torch.rand(2, 3, 112, 112) - 0.5
    with torch.inference_mode():
        plain = network.features(crops)
        fuse_units(network.body, kernels, half=False)
        assert (network.features(crops) - plain).abs().max() < 1e-4 * plain.std()


@pytest.mark.parametrize(("half", "tolerance"), [(False, 1e-4), (True, 0.1)], ids=["fp32", "bf16"])
def test_the_small_encoder_gives_the_same_latent(kernels: Kernels, half: bool, tolerance: float) -> None:
    if half and not kernels.half:
        pytest.skip("this processor does not multiply bf16")
    torch.manual_seed(0)
    settings = EncoderSettings(
        64, 2, num_ws=6, w_dim=16, width=24, feature_resolutions=(16, 32), feature_channels=(8, 8)
    )
    encoder = Encoder(settings).eval().requires_grad_(False).to(memory_format=torch.channels_last)
    portraits = torch.rand(2, 3, 64, 64) - 0.5
    plain = encoder(portraits.requires_grad_(True))
    fuse_small_encoder(encoder, kernels, half)
    with torch.inference_mode():
        fused = encoder(portraits)
    pairs = [(fused.ws, plain.ws), *((fused.features[side], plain.features[side]) for side in (16, 32))]
    for found, right in pairs:
        assert found.dtype == torch.float32
        assert (found - right.detach()).abs().max() < tolerance * right.std()
        assert not torch.equal(found, right)  # the kernels did it
    assert torch.equal(encoder(portraits).ws, plain.ws)  # with gradients the plain network
