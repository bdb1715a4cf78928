# SPDX-License-Identifier: GPL-3.0-or-later
"""What the generator pair promises, on an untrained pair: formulas, not looks."""

from __future__ import annotations

import pytest
import torch

from lifelike.inversion import invert, refine, tune
from lifelike.networks.encoder import Latent
from lifelike.transfer import Transfer, transfer_portraits
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method
from small_bundle import small_bundle


@pytest.fixture(scope="module")
def portraits() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) - 0.5


def test_decode_is_the_photo_generators_picture(portraits: torch.Tensor) -> None:
    bundle = small_bundle()
    latent = invert(bundle, portraits)
    expected = bundle.photo.synthesis(latent.ws, features=latent.features).clamp(-1, 1)
    assert torch.allclose(transfer_portraits(bundle, portraits, Method.DECODE), expected)


def test_difference_adds_what_the_two_generators_disagree_on(portraits: torch.Tensor) -> None:
    bundle = small_bundle()
    latent = invert(bundle, portraits)
    disagreement = bundle.photo.synthesis(latent.ws, features=latent.features) - bundle.render.synthesis(
        latent.ws, features=latent.features
    )
    expected = (portraits + disagreement).clamp(-1, 1)
    assert torch.allclose(transfer_portraits(bundle, portraits, Method.DIFFERENCE), expected, atol=1e-5)


def test_the_cards_method_is_the_default(portraits: torch.Tensor) -> None:
    bundle = small_bundle()
    assert torch.equal(transfer_portraits(bundle, portraits), transfer_portraits(bundle, portraits, bundle.card.method))


def test_values_that_are_not_finite_are_no_picture(portraits: torch.Tensor) -> None:
    bundle = small_bundle()
    latent = invert(bundle, portraits)
    bundle.photo.synthesis.state_dict()["b64.torgb.bias"].fill_(torch.nan)
    with pytest.raises(LifelikeError, match="not finite") as caught:
        Transfer(bundle).apply(portraits, latent)
    assert caught.value.code is ErrorCode.INVALID_BUNDLE
    assert bundle.card.name in caught.value.what


def test_strength_leads_from_the_input_to_the_photo_look(portraits: torch.Tensor) -> None:
    bundle = small_bundle()
    changes = [
        float((transfer_portraits(bundle, portraits, Method.DIFFERENCE, strength) - portraits).abs().mean())
        for strength in (0.0, 0.25, 0.5, 1.0)
    ]
    assert changes[0] < 1e-6
    assert changes == sorted(changes)
    assert changes[-1] > 0.01


def test_strengths_between_do_not_leave_traces(portraits: torch.Tensor) -> None:
    bundle = small_bundle()
    transfer, latent = Transfer(bundle), invert(bundle, portraits)
    first = transfer.apply(portraits, latent, Method.DECODE, 0.3)
    transfer.apply(portraits, latent, Method.DECODE, 0.8)
    assert torch.equal(transfer.apply(portraits, latent, Method.DECODE, 0.3), first)
    assert torch.equal(
        transfer.apply(portraits, latent, Method.DECODE, 1.0), transfer_portraits(bundle, portraits, Method.DECODE)
    )


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan")])
def test_impossible_strengths_are_refused(portraits: torch.Tensor, strength: float) -> None:
    with pytest.raises(LifelikeError) as caught:
        transfer_portraits(small_bundle(), portraits, strength=strength)
    assert caught.value.code is ErrorCode.INVALID_SETTING


@pytest.mark.parametrize("method", list(Method))
def test_one_generator_decodes_whatever_is_wished(portraits: torch.Tensor, method: Method) -> None:
    bundle = small_bundle(pair=False)
    latent = invert(bundle, portraits)
    expected = bundle.photo.synthesis(latent.ws, features=latent.features).clamp(-1, 1)
    assert torch.allclose(transfer_portraits(bundle, portraits, method), expected)


def test_with_one_generator_strength_blends_the_portrait_with_its_decode(portraits: torch.Tensor) -> None:
    bundle = small_bundle(pair=False)
    assert torch.allclose(transfer_portraits(bundle, portraits, strength=0.0), portraits, atol=1e-6)
    half, whole = (transfer_portraits(bundle, portraits, strength=strength) for strength in (0.5, 1.0))
    latent = invert(bundle, portraits)
    decoded = bundle.photo.synthesis(latent.ws, features=latent.features)
    assert torch.allclose(half, ((portraits + decoded) / 2).clamp(-1, 1), atol=1e-5)
    assert not torch.allclose(half, whole, atol=0.05)


def test_published_encoders_read_smaller_portraits_than_the_generator_makes() -> None:
    bundle = small_bundle(published=True)
    large = torch.rand(1, 3, 128, 128) - 0.5
    small = torch.nn.functional.interpolate(large, (64, 64), mode="bilinear", antialias=True)
    assert torch.allclose(invert(bundle, large).ws, invert(bundle, small).ws, atol=1e-5)


def test_inversion_looks_at_the_one_generator_there_is(portraits: torch.Tensor) -> None:
    bundle = small_bundle(pair=False, published=True)
    latent = invert(bundle, portraits)

    def distance(refined: Latent) -> float:
        return float((bundle.photo.synthesis(refined.ws) - portraits).square().mean())

    assert distance(refine(bundle, portraits, latent, 5)) < distance(latent)
    change = tune(bundle, portraits[:1], Latent(latent.ws[:1], {}), 3)
    assert any(float(tensor.abs().max()) > 0 for tensor in change.tensors.values())
