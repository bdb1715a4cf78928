# SPDX-License-Identifier: GPL-3.0-or-later
"""Adaptive discriminator augmentation: what each change does, and how often changes are made."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from lightning_fabric import Fabric
from torch import Tensor

from lifelike.training.augmentation import ada
from lifelike.training.augmentation.strength import AdaSettings, AugmentationStrength

GEOMETRY = ("_mirror", "_quarter_turn", "_whole_shift", "_size", "_first_turn", "_stretch", "_second_turn", "_shift")
COLOUR = ("_brightness", "_contrast", "_luma_flip", "_hue", "_saturation")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(5)


def pictures(count: int = 4, side: int = 16) -> Tensor:
    return torch.rand(count, 3, side, side).contiguous(memory_format=torch.channels_last) * 2 - 1


def test_nothing_changes_where_the_probability_is_zero() -> None:
    picture = pictures()
    assert ada.augment(picture, 0.0) is picture
    assert torch.equal(ada.geometric_matrices(9, 0.0, 16), torch.eye(3).expand(9, 3, 3))
    assert torch.equal(ada.colour_matrices(9, 0.0), torch.eye(4).expand(9, 4, 4))


@pytest.mark.parametrize("name", GEOMETRY)
def test_each_move_keeps_shape_and_passes_gradients(name: str) -> None:
    change: Callable[[int, float, int], Tensor] = getattr(ada, name)
    picture = pictures().requires_grad_(True)
    moved = ada.warp(picture, change(4, 1.0, 16))
    assert moved.shape == picture.shape
    assert not torch.allclose(moved, picture, atol=1e-3)
    (gradient,) = torch.autograd.grad(moved.square().sum(), picture)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().amax((1, 2, 3)).min() > 0


@pytest.mark.parametrize("name", COLOUR)
def test_each_recolouring_keeps_shape_and_passes_gradients(name: str) -> None:
    change: Callable[[int, float], Tensor] = getattr(ada, name)
    picture = pictures(8).requires_grad_(True)
    changed = ada.recolour(picture, change(8, 1.0))
    assert changed.shape == picture.shape
    assert not torch.allclose(changed, picture, atol=1e-3)
    (gradient,) = torch.autograd.grad(changed.square().sum(), picture)
    assert torch.isfinite(gradient).all()
    assert gradient.abs().amax((1, 2, 3)).min() > 0


def test_moves_that_need_no_resampling_are_exact() -> None:
    picture = pictures()
    mirrored = ada.warp(picture, torch.diag(torch.tensor([-1.0, 1.0, 1.0])).expand(4, 3, 3))
    assert torch.allclose(mirrored, picture.flip(3), atol=1e-4)
    turned = ada.warp(picture, ada._turning(torch.full((4,), math.pi / 2)))
    assert torch.allclose(turned, picture.rot90(1, (2, 3)), atol=1e-4)
    shifted = ada.warp(picture, ada._shifting(torch.tensor([[2 * 2 / 16, 0.0]]).expand(4, 2)))
    assert torch.allclose(shifted[..., :-2], picture[..., 2:], atol=1e-4)


def test_hue_keeps_luminance_and_saturation_keeps_grey() -> None:
    picture = pictures(16)
    luminance = picture.mean(1)
    for change in (ada._hue, ada._saturation):
        assert torch.allclose(ada.recolour(picture, change(16, 1.0)).mean(1), luminance, atol=1e-5)
    grey = picture.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    assert torch.allclose(ada.recolour(grey, ada._saturation(16, 1.0)), grey, atol=1e-5)


@pytest.mark.parametrize("p", [0.2, 0.7])
def test_changes_are_as_frequent_as_asked(p: float) -> None:
    stretched = ada._stretch(4000, p, 16)[:, 0, 0] != 1
    assert abs(float(stretched.float().mean()) - p) < 0.03
    turned = (ada._first_turn(4000, p, 16) @ ada._second_turn(4000, p, 16))[:, 0, 1] != 0
    assert abs(float(turned.float().mean()) - p) < 0.03


def strength(**settings: float) -> AugmentationStrength:
    fabric = Fabric(accelerator="cpu", devices=1)
    return AugmentationStrength(AdaSettings(pictures=320, **settings), batch=8, fabric=fabric)


def test_p_rises_while_the_discriminator_is_sure_of_reals_and_falls_while_it_is_not() -> None:
    adaptive = strength()
    for step in range(40):
        adaptive.see(torch.tensor([3.0, 2.0, 1.0, 5.0]))
        adaptive.adapt(step)
    assert adaptive.p == pytest.approx(1.0)  # 40 updates of 8 pictures are the 320 in which it may rise
    for step in range(20):
        adaptive.see(torch.tensor([3.0, -2.0, 1.0, -5.0]))
        adaptive.adapt(step)
    assert adaptive.p == pytest.approx(0.5)


def test_p_is_continued_from_between_two_changes() -> None:
    first, second = strength(), strength()
    for step in range(10):
        first.see(torch.randn(4) + 2)
        first.adapt(step)
    second.load_state_dict(first.state_dict())
    for step in range(10, 14):
        logits = torch.randn(4) + 2
        for adaptive in (first, second):
            adaptive.see(logits)
            adaptive.adapt(step)
    assert second.state_dict() == first.state_dict()


def test_no_target_leaves_p_alone() -> None:
    fixed = strength(target=0.0, start=0.3)
    for step in range(8):
        fixed.see(torch.ones(4))
        fixed.adapt(step)
    assert fixed.p == 0.3
