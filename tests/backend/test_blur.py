# SPDX-License-Identifier: GPL-3.0-or-later
"""The low pass and its hand-written gradients: what automatic differentiation of the plain convolution gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.networks.blur import blur, blur_and_halve


def plain(x: Tensor, padding: int, stride: int, gain: float) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=x.dtype) / 8
    kernel = (torch.outer(taps, taps) * gain).expand(x.shape[1], 1, 4, 4)
    return F.conv2d(x, kernel, stride=stride, padding=padding, groups=x.shape[1])


CASES: list[tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor], int]] = [
    (lambda x: blur(x, 1, gain=4.0), lambda x: plain(x, 1, 1, 4.0), 9),
    (lambda x: blur(x, 2), lambda x: plain(x, 2, 1, 1.0), 8),
    (blur_and_halve, lambda x: plain(x, 1, 2, 1.0), 8),
]


@pytest.mark.parametrize(("ours", "expected", "side"), CASES)
def test_values_gradients_and_their_gradients_are_those_of_the_convolution(
    ours: Callable[[Tensor], Tensor], expected: Callable[[Tensor], Tensor], side: int
) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, side, side)
    found = []
    for function in (ours, expected):
        start = x.clone().requires_grad_(True)
        result = function(start).square()
        (gradient,) = torch.autograd.grad(result.sin().sum(), start, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), start)
        found.append((result.detach(), gradient.detach(), second))
    for mine, theirs in zip(*found, strict=True):
        assert torch.allclose(mine, theirs, rtol=1e-4, atol=1e-5)


def test_half_precision_keeps_its_dtype_both_ways() -> None:
    x = torch.randn(1, 2, 8, 8, dtype=torch.bfloat16, requires_grad=True)
    result = blur_and_halve(blur(x, 2)[:, :, :8, :8])
    result.sum().backward()
    assert result.dtype == x.grad.dtype == torch.bfloat16
