# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights laid out once compute what the ordinary convolution does, and where torch refuses, that one does."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lifelike.execution.packed import PackedConvolution


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize(("kernel", "stride", "slope"), [(3, 2, 0.01), (3, 1, 1.0), (1, 2, 1.0)])
@torch.inference_mode()
def test_packed_convolution_is_the_ordinary_one(
    monkeypatch: pytest.MonkeyPatch, refused: bool, kernel: int, stride: int, slope: float
) -> None:
    torch.manual_seed(0)
    weight, bias = torch.randn(24, 20, kernel, kernel), torch.randn(24)
    packed = PackedConvolution(weight.clone(), bias, stride=stride, padding=kernel // 2, slope=slope)
    if refused:

        def refuse(*arguments: object) -> None:
            raise RuntimeError("not on this machine")

        monkeypatch.setattr(torch.ops.mkldnn, "_reorder_convolution_weight", refuse, raising=False)
    for side in (16, 12):  # laid out for the first, used for both
        x = torch.randn(2, 20, side, side).contiguous(memory_format=torch.channels_last)
        right = F.leaky_relu(F.conv2d(x, weight, bias, stride, kernel // 2), slope)
        assert torch.allclose(packed(x), right, atol=1e-4)
