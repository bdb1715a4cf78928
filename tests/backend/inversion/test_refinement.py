# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement on an untrained bundle: what is kept, when it ends, what it leaves alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lifelike.bundles import Bundle
from lifelike.inversion import invert, refine
from lifelike.inversion.descent import Patience, descend
from lifelike.inversion.objective import Objective
from lifelike.networks.encoder import Latent
from small_bundle import small_bundle


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return small_bundle()


@pytest.fixture(scope="module")
def portraits() -> Tensor:
    """[2, 3, 64, 64]: smooth, so that a small generator can come nearer."""
    coarse = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(1)) - 0.5
    return torch.nn.functional.interpolate(coarse, (64, 64), mode="bicubic").clamp(-1, 1)


def errors(bundle: Bundle, portraits: Tensor, latent: Latent) -> Tensor:
    shown = bundle.render.synthesis(latent.ws, features=latent.features)
    return Objective(bundle, portraits).error(shown)


def states(bundle: Bundle) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in bundle.tensors().items()}


def assert_unchanged(bundle: Bundle, before: dict[str, Tensor]) -> None:
    for name, value in bundle.tensors().items():
        assert torch.equal(value, before[name]), name
        assert not value.requires_grad, name


def test_every_portrait_comes_closer_and_the_bundle_stays(bundle: Bundle, portraits: Tensor) -> None:
    before, latent, told = states(bundle), invert(bundle, portraits), []
    closer = refine(bundle, portraits, latent, 12, lambda step, error: told.append((step, error)))
    assert (errors(bundle, portraits, closer) < errors(bundle, portraits, latent)).all()
    assert [step for step, _ in told] == list(range(13))
    assert told[-1][1] < told[0][1]
    # What is told is the best so far: the picture that would be shown if it ended now.
    assert told[-1][1] == pytest.approx(float(errors(bundle, portraits, closer).mean()), rel=1e-4)
    assert_unchanged(bundle, before)


def test_a_portrait_is_refined_the_same_alone_and_in_company(bundle: Bundle, portraits: Tensor) -> None:
    latent = invert(bundle, portraits)
    together = refine(bundle, portraits, latent, 5)
    alone = refine(bundle, portraits[:1], invert(bundle, portraits[:1]), 5)
    assert torch.allclose(together.ws[:1], alone.ws, atol=1e-4)


def test_steps_that_lead_away_are_forgotten_and_patience_ends_them(bundle: Bundle, portraits: Tensor) -> None:
    latent, told = invert(bundle, portraits), []
    same = refine(bundle, portraits, latent, 500, lambda step, error: told.append(error), rate=50.0, feature_rate=50.0)
    assert torch.equal(same.ws, latent.ws)
    assert all(torch.equal(same.features[side], code) for side, code in latent.features.items())
    assert len(told) <= Patience().steps + 1


@pytest.mark.parametrize("last", [0, 3])
def test_it_ends_at_any_step_its_listener_raises(bundle: Bundle, portraits: Tensor, last: int) -> None:
    before, steps = states(bundle), []

    def cancel(step: int, error: float) -> None:
        steps.append(step)
        if step == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine(bundle, portraits, invert(bundle, portraits), 50, cancel)
    assert steps == list(range(last + 1))
    assert_unchanged(bundle, before)


def test_either_part_of_a_latent_can_be_left_alone(bundle: Bundle, portraits: Tensor) -> None:
    latent = invert(bundle, portraits)
    only_ws = refine(bundle, portraits, latent, 3, feature_rate=0.0)
    assert not torch.equal(only_ws.ws, latent.ws)
    assert all(torch.equal(only_ws.features[side], code) for side, code in latent.features.items())
    only_features = refine(bundle, portraits, latent, 3, rate=0.0)
    assert torch.equal(only_features.ws, latent.ws)
    assert not any(torch.equal(only_features.features[side], code) for side, code in latent.features.items())


def test_plain_codes_are_refined_too(bundle: Bundle, portraits: Tensor) -> None:
    plain = Latent(invert(bundle, portraits).ws, {})
    closer = refine(bundle, portraits, plain, 10)
    assert closer.features == {}
    assert (errors(bundle, portraits, closer) < errors(bundle, portraits, plain)).all()


def test_the_face_counts_more_than_what_is_around_it(bundle: Bundle, portraits: Tensor) -> None:
    face = torch.zeros(2, 1, 64, 64)
    face[..., 16:48, 16:48] = 1
    objective = Objective(bundle, portraits, face)
    inside, outside = portraits.clone(), portraits.clone()
    inside[..., 20:28, 20:28] += 0.5
    outside[..., 0:8, 0:8] += 0.5
    losses = [Objective.loss(objective, changed) for changed in (portraits, inside, outside)]
    assert ((losses[1] - losses[0]) > 2 * (losses[2] - losses[0])).all()
    assert torch.allclose(objective.error(inside), objective.error(outside), rtol=1e-3)


def test_a_loss_that_is_no_number_ends_the_descent_with_the_best() -> None:
    value = torch.tensor([1.0], requires_grad=True)

    def measure(step: int) -> tuple[Tensor, Tensor, Tensor]:
        loss = value.square() if step < 2 else value * float("nan")
        return loss.sum(), loss, loss.detach()

    (best,) = descend([([value], 0.1)], measure, 100)
    assert 0.8 < float(best) < 1.0
