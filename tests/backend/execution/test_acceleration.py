# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle's networks get faster by themselves; nobody waits, and the pictures stay."""

from __future__ import annotations

import pytest
import torch

from lifelike.execution.acceleration import Acceleration, prepare
from lifelike.execution.block import FusedBlock
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.library import Library
from lifelike.execution.precision import Precision
from lifelike.execution.prepared import PreparedBlock
from lifelike.inversion import WeightChange, invert
from lifelike.transfer import Transfer, transfer_portraits
from lifelike_protocol.messages import Method
from small_bundle import small_bundle


class LateLibrary(Library):
    """A library whose compiler is done when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.ready: Kernels | None = None

    def kernels(self) -> Kernels | None:
        return self.ready


def test_pictures_are_made_before_the_compiler_is_done_and_after(kernels: Kernels) -> None:
    bundle, library = small_bundle(), LateLibrary()
    portraits = torch.rand(1, 3, 64, 64) - 0.5
    plain = transfer_portraits(bundle, portraits)
    acceleration = Acceleration(bundle, Precision.FP32, library)
    acceleration.refresh()
    last = bundle.inverted.synthesis.block(64)
    assert isinstance(last.faster, PreparedBlock)
    assert torch.allclose(transfer_portraits(bundle, portraits), plain, atol=1e-4)
    library.ready = kernels
    acceleration.refresh()
    assert isinstance(last.faster, FusedBlock)
    assert torch.allclose(transfer_portraits(bundle, portraits), plain, atol=1e-4)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.1)])
@torch.inference_mode()
def test_prepared_networks_show_the_same(dtype: torch.dtype, tolerance: float) -> None:
    synthesis = small_bundle().photo.synthesis
    with torch.no_grad():
        synthesis.block(32).conv0.noise_strength.fill_(0.5)
    ws = torch.randn(2, synthesis.settings.num_ws, 16)
    features = {32: torch.randn(2, 16, 32, 32)}
    plain = synthesis(ws, features=features)
    prepare(synthesis, dtype)
    assert (synthesis(ws, features=features) - plain).abs().max() < tolerance * plain.std()
    random = synthesis(ws[:1].expand(2, -1, -1), "random")
    assert not torch.equal(random[0], random[1])


@pytest.mark.parametrize("strength", [0.4, 1.0])
def test_generators_between_are_as_fast_and_show_the_same(kernels: Kernels, strength: float) -> None:
    bundle, library = small_bundle(), LateLibrary()
    portraits = torch.rand(1, 3, 64, 64) - 0.5
    plain = transfer_portraits(bundle, portraits, strength=strength)
    library.ready = kernels
    Acceleration(bundle, Precision.FP32, library)
    transfer = Transfer(bundle)
    shown = transfer.apply(portraits, invert(bundle, portraits), strength=strength)
    assert torch.allclose(shown, plain, atol=1e-4)
    assert isinstance(transfer.generator(strength).block(64).faster, FusedBlock)


def test_a_tuned_generator_shows_its_own_weights(kernels: Kernels) -> None:
    bundle, library = small_bundle(), LateLibrary()
    portraits = torch.rand(1, 3, 64, 64) - 0.5
    latent = invert(bundle, portraits)
    weight = bundle.photo.synthesis.block(64).conv1.weight
    change = WeightChange({"b64.conv1.weight": torch.randn_like(weight)})
    plain = Transfer(bundle).apply(portraits, latent, Method.DECODE, change=change)
    library.ready = kernels
    Acceleration(bundle, Precision.FP32, library)
    shown = Transfer(bundle).apply(portraits, latent, Method.DECODE, change=change)
    assert torch.allclose(shown, plain, atol=1e-4)
    assert not torch.allclose(shown, Transfer(bundle).apply(portraits, latent, Method.DECODE), atol=1e-3)
