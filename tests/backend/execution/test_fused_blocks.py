# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled kernels compute what the plain network computes, whatever its sizes, and step aside when they must."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from lifelike.execution.acceleration import fuse
from lifelike.execution.kernels.interface import Kernels
from lifelike.networks.stylegan2 import GeneratorSettings, SynthesisNetwork

FP32 = 1e-4  # of the plain picture's standard deviation; the goal is 1e-3
BF16 = 0.1


def network(resolution: int = 64, base: int = 2048, most: int = 80) -> SynthesisNetwork:
    torch.manual_seed(1)
    made = SynthesisNetwork(GeneratorSettings(resolution, channel_base=base, channel_max=most, w_dim=16))
    for name, parameter in made.named_parameters():
        if name.endswith(("bias", "noise_strength")):
            torch.nn.init.normal_(parameter, mean=0.2, std=0.3)
    return made.eval().requires_grad_(False)


def codes(made: SynthesisNetwork, count: int = 2) -> Tensor:
    return torch.randn(count, made.settings.num_ws, 16, generator=torch.Generator().manual_seed(2))


def difference(found: Tensor, plain: Tensor) -> float:
    """The largest, in standard deviations of the plain picture."""
    return float((found - plain).abs().max() / plain.std())


@pytest.mark.parametrize("base", [256, 640, 2048, 8192], ids=lambda base: f"{base // 64} channels")
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
@torch.inference_mode()
def test_fused_network_shows_the_same(kernels: Kernels, base: int, half: bool) -> None:
    if half and not kernels.half:
        pytest.skip("this processor does not multiply bf16")
    made = network(base=base, most=128)
    ws = codes(made)
    plain = made(ws)
    fuse(made, kernels, half)
    assert difference(made(ws), plain) < (BF16 if half else FP32)


@pytest.mark.parametrize("noise", ["const", "none"])
@torch.inference_mode()
def test_feature_codes_and_noise_are_added_as_before(kernels: Kernels, noise: str) -> None:
    made = network()
    ws = codes(made)
    features = {
        resolution: torch.randn(2, made.settings.channels(resolution), resolution, resolution)
        for resolution in (16, 64)
    }
    seen: list[Tensor] = []
    plain = made(ws, noise, features, lambda resolution, x, image: seen.append(x.clone()))
    fuse(made, kernels, half=False)
    fused_seen: list[Tensor] = []
    assert difference(made(ws, noise, features, lambda resolution, x, image: fused_seen.append(x)), plain) < FP32
    assert max(difference(found, right) for found, right in zip(fused_seen, seen, strict=True)) < FP32


@torch.inference_mode()
def test_random_noise_is_drawn_anew_for_every_picture_and_pass(kernels: Kernels) -> None:
    made = network()
    fuse(made, kernels, half=False)
    ws = codes(made, 1).expand(2, -1, -1)
    pictures = made(ws, "random")
    assert difference(pictures[0], pictures[1]) > 0.01
    assert difference(made(ws, "random"), pictures) > 0.01


@pytest.mark.parametrize("threads", [1, 2, 3])
@torch.inference_mode()
def test_any_number_of_threads_gives_the_same_bits(kernels: Kernels, threads: int) -> None:
    made = network()
    fuse(made, kernels, half=False)
    ws, before = codes(made), torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        alone = made.block(64)(torch.ones(1, 64, 32, 32), None, ws[:1, :3], [None, None], None)[0]
        torch.set_num_threads(threads)
        assert torch.equal(made.block(64)(torch.ones(1, 64, 32, 32), None, ws[:1, :3], [None, None], None)[0], alone)
    finally:
        torch.set_num_threads(before)


def test_gradients_go_through_the_plain_network(kernels: Kernels) -> None:
    made = network()
    ws = codes(made).requires_grad_(True)
    plain = torch.autograd.grad(made(ws).square().sum(), ws)[0]
    fuse(made, kernels, half=False)
    assert torch.equal(torch.autograd.grad(made(ws).square().sum(), ws)[0], plain)


def test_weights_that_change_are_not_computed_with_old_copies(kernels: Kernels) -> None:
    made = network()
    fuse(made, kernels, half=False)
    ws = codes(made)
    with torch.no_grad():
        made.block(32).conv1.weight.mul_(1.5).add_(0.3)
        fused = made(ws)
        for resolution in made.settings.resolutions:
            made.block(resolution).faster = None
        assert difference(fused, made(ws)) < FP32


def test_a_copy_of_a_network_computes_for_itself(kernels: Kernels) -> None:
    made = network()
    fuse(made, kernels, half=False)
    assert all(block.faster is None for block in copy.deepcopy(made).children())
