# SPDX-License-Identifier: GPL-3.0-or-later
"""One convolution by the compiled kernels is torch's, whatever it makes of the size, on any number of pixels."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.execution.convolution import FusedConvolution
from lifelike.execution.kernels.interface import Change, Kernels
from lifelike.networks.blur import blur

TOLERANCE = {False: 1e-5, True: 0.12}  # of the result's standard deviation, on white noise


def plain(x: Tensor, weight: Tensor, change: Change) -> Tensor:
    if change is Change.DOUBLED:
        return blur(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), padding=1, gain=4.0)
    return F.conv2d(x, weight, stride=2 if change is Change.HALVED else 1, padding=1)


@pytest.mark.parametrize("change", list(Change), ids=lambda change: change.name.lower())
@pytest.mark.parametrize("half", [False, True], ids=["fp32", "bf16"])
@pytest.mark.parametrize("size", [(1, 1), (2, 3), (7, 8), (12, 5), (33, 32)], ids=str)
@torch.inference_mode()
def test_convolution_is_the_ordinary_one(kernels: Kernels, change: Change, half: bool, size: tuple[int, int]) -> None:
    if half and not kernels.half:
        pytest.skip("this processor does not multiply bf16")
    torch.manual_seed(0)
    inputs, outputs = 24, 72  # no whole number of vectors
    x, weight = torch.randn(2, inputs, *size), torch.randn(outputs, inputs, 3, 3) / 15
    scale, shift = 1 + 0.5 * torch.rand(2, inputs), 0.2 * torch.randn(inputs)
    gain, bias, slope = 1 + 0.5 * torch.rand(2, outputs), 0.2 * torch.randn(outputs), torch.rand(outputs)
    x = x.bfloat16().float()  # as activations are
    sums = plain(x * scale[:, :, None, None] + shift[:, None, None], weight, change)
    noise, added = torch.randn(1, *sums.shape[2:]), torch.randn_like(sums).bfloat16().float()
    offset = bias[:, None, None] + noise[:, None]
    right = F.prelu(sums * gain[:, :, None, None] + offset, slope) + added
    fused = FusedConvolution(kernels, weight, change=change, half=half)
    found = fused(x, scale=scale, shift=shift, gain=gain, bias=bias, slope=slope, noise=noise, added=added)
    assert found.shape == right.shape
    assert (found - right).abs().max() < TOLERANCE[half] * right.std()


@pytest.mark.parametrize("change", list(Change), ids=lambda change: change.name.lower())
@torch.inference_mode()
def test_any_number_of_threads_gives_the_same_bits(kernels: Kernels, change: Change) -> None:
    fused, ones = FusedConvolution(kernels, torch.randn(96, 32, 3, 3), change=change), torch.ones(1, 96)
    x, before = torch.randn(1, 32, 30, 30), torch.get_num_threads()
    made = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            made.append(fused(x, scale=ones[:, :32], gain=ones, bias=ones[0], slope=ones[0]))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(made[0], made[1])
    assert torch.equal(made[0], made[2])
