# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that set themselves: gradients measured, brought into their band, kept over a checkpoint."""

from __future__ import annotations

import math

import pytest
import torch

from lifelike.training.gradient_balance import LARGEST, GradientBalance, gradient_norm

WEIGHTS = {"adversarial": 1.0, "colour": 1.0, "identity": 1.0}


def test_the_norm_is_taken_over_all_places_together() -> None:
    a, b, untouched = (torch.ones(n, requires_grad=True) for n in (4, 9, 5))
    assert float(gradient_norm(3 * a.sum() + 4 * b.sum(), [a, b, untouched])) == pytest.approx(math.sqrt(36 + 144))
    assert float(gradient_norm((a * 2).sum(), [untouched])) == 0
    term = (a * a).sum()
    gradient_norm(term, [a])
    term.backward()  # the graph is still there
    assert a.grad is not None


@pytest.mark.parametrize(("norm", "expected"), [(0.001, 0.1), (50.0, 1.0), (0.4, 0.4)])
def test_a_term_reaches_its_band(norm: float, expected: float) -> None:
    balance = GradientBalance(["colour"])
    balance.update({"adversarial": 1.0, "colour": norm}, WEIGHTS, "adversarial")
    assert norm * balance.factor("colour") == pytest.approx(expected)


def test_weights_set_by_hand_count() -> None:
    balance = GradientBalance(["colour"])
    balance.update({"adversarial": 2.0, "colour": 1.0}, {"adversarial": 0.5, "colour": 8.0}, "adversarial")
    assert 8.0 * 1.0 * balance.factor("colour") == pytest.approx(0.5 * 2.0)


def test_norms_are_averaged_and_a_term_follows_its_drift() -> None:
    balance = GradientBalance(["colour"], memory=0.5)
    balance.update({"adversarial": 1.0, "colour": 1.0}, WEIGHTS, "adversarial")
    balance.update({"adversarial": 1.0, "colour": 9.0}, WEIGHTS, "adversarial")
    assert balance.norms["colour"] == pytest.approx(5.0)
    assert balance.factor("colour") == pytest.approx(0.2)
    for _ in range(30):
        balance.update({"adversarial": 1.0, "colour": 1e-3}, WEIGHTS, "adversarial")
    assert 1e-3 * balance.factor("colour") == pytest.approx(0.1, rel=0.01)


def test_only_named_terms_are_moved_and_vanished_gradients_say_nothing() -> None:
    balance = GradientBalance(["colour"])
    balance.update({"adversarial": 1.0, "colour": 0.0, "identity": 100.0}, WEIGHTS, "adversarial")
    balance.update({"adversarial": math.nan, "colour": math.inf}, WEIGHTS, "adversarial")
    assert balance.factor("colour") == balance.factor("identity") == 1.0
    balance.update({"colour": 1e-30}, WEIGHTS, "adversarial")
    assert balance.factor("colour") <= LARGEST


def test_a_checkpoint_keeps_it() -> None:
    first, second = GradientBalance(["colour"]), GradientBalance(["colour", "geometry"])
    first.update({"adversarial": 1.0, "colour": 50.0}, WEIGHTS, "adversarial")
    second.load_state_dict(first.state_dict())
    assert second.factors == {"colour": first.factor("colour"), "geometry": 1.0}
    assert second.norms == first.norms
