# SPDX-License-Identifier: GPL-3.0-or-later
"""Pivotal tuning on an untrained bundle: closer at the pivot, the same elsewhere, and nothing of the bundle changed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lifelike.bundles import Bundle
from lifelike.inversion import WeightChange, invert, tune, tuning
from lifelike.inversion.objective import Objective
from lifelike.networks.encoder import Latent
from lifelike.networks.sharing import synthesis_over
from lifelike.transfer import Transfer
from lifelike_protocol.messages import Method
from small_bundle import small_bundle

RATE = 3e-3  # an untrained generator has much to learn


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    coarse = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1)) - 0.5
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(-1, 1)


@pytest.fixture(scope="module")
def pivot(bundle: Bundle, portrait: Tensor) -> Latent:
    return invert(bundle, portrait)


@pytest.fixture(scope="module")
def change(bundle: Bundle, portrait: Tensor, pivot: Latent) -> WeightChange:
    return tune(bundle, portrait, pivot, 12, rate=RATE)


def test_the_pivot_shows_the_portrait_more_closely(
    bundle: Bundle, portrait: Tensor, pivot: Latent, change: WeightChange
) -> None:
    objective, render = Objective(bundle, portrait), bundle.render.synthesis
    before = objective.error(render(pivot.ws, features=pivot.features))
    after = objective.error(change.added_to(render)(pivot.ws, features=pivot.features))
    assert float(after) < 0.97 * float(before)


def test_both_generators_get_the_same_change_and_share_the_rest(bundle: Bundle, change: WeightChange) -> None:
    for network in (bundle.photo.synthesis, bundle.render.synthesis):
        own, tuned = network.state_dict(), change.added_to(network).state_dict()
        for name, value in own.items():
            if name in change.tensors:
                assert torch.allclose(tuned[name] - value, change.tensors[name], atol=1e-6), name
                assert tuned[name].data_ptr() != value.data_ptr(), name
            else:
                assert tuned[name].data_ptr() == value.data_ptr(), f"{name} was copied"
    assert any(bool(value.any()) for value in change.tensors.values())
    assert not any("affine" in name or "noise_const" in name for name in change.tensors)


def test_a_tuned_photo_is_decoded_with_the_tuned_weights(
    bundle: Bundle, portrait: Tensor, pivot: Latent, change: WeightChange
) -> None:
    transfer = Transfer(bundle)
    plain = transfer.apply(portrait, pivot, Method.DECODE)
    tuned = transfer.apply(portrait, pivot, Method.DECODE, change=change)
    expected = change.added_to(bundle.photo.synthesis)(pivot.ws, features=pivot.features).clamp(-1, 1)
    assert torch.allclose(tuned, expected, atol=1e-6)
    assert not torch.allclose(tuned, plain, atol=1e-3)
    assert torch.equal(transfer.apply(portrait, pivot, Method.DECODE), plain), "the original weights are back"
    between = transfer.apply(portrait, pivot, Method.DECODE, 0.5, change=change)
    assert not torch.allclose(between, transfer.apply(portrait, pivot, Method.DECODE, 0.5), atol=1e-3)


def test_the_bundle_stays_as_it_is_also_when_cancelled(bundle: Bundle, portrait: Tensor, pivot: Latent) -> None:
    before = {name: value.clone() for name, value in bundle.tensors().items()}
    steps = []

    def cancel(step: int, error: float) -> None:
        steps.append(step)
        if step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(bundle, portrait, pivot, 50, cancel, rate=RATE)
    assert steps == [0, 1, 2, 3]
    for name, value in bundle.tensors().items():
        assert torch.equal(value, before[name]), name
        assert not value.requires_grad, name


def test_the_same_portrait_gets_the_same_change(
    bundle: Bundle, portrait: Tensor, pivot: Latent, change: WeightChange
) -> None:
    again = tune(bundle, portrait, pivot, 12, rate=RATE)
    assert all(torch.equal(again.tensors[name], value) for name, value in change.tensors.items())


def test_locality_holds_what_other_latents_show(
    bundle: Bundle, portrait: Tensor, pivot: Latent, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tuning.nearby(bundle, pivot.ws, torch.Generator().manual_seed(99))
    moved = {}
    for weight in (0.0, 20.0):
        monkeypatch.setattr(tuning, "LOCALITY", weight)
        found = tune(bundle, portrait, pivot, 12, rate=RATE)
        networks = found.added_to(bundle.render.synthesis), synthesis_over(bundle.render.synthesis)
        moved[weight] = float(tuning.change_at(elsewhere, dict(pivot.features), *networks))
    assert moved[20.0] < 0.8 * moved[0.0]


def test_a_network_over_other_tensors_takes_no_memory_of_its_own(bundle: Bundle) -> None:
    network = bundle.render.synthesis
    over = synthesis_over(network)
    assert {value.data_ptr() for value in over.state_dict().values()} == {
        value.data_ptr() for value in network.state_dict().values()
    }
    ws = torch.randn(1, network.settings.num_ws, network.settings.w_dim)
    assert torch.allclose(over(ws), network(ws), atol=1e-6)
