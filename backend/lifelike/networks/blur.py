# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's low pass, [1, 3, 3, 1] ⊗ [1, 3, 3, 1] / 64, channel by channel, and its way back.

The gradient of a blur is a blur: the taps are symmetric. Said so, it runs forwards through the same fast convolution;
left to automatic differentiation, the gradient of the halving one is eight times as slow in bf16 on a CPU.
Both can be differentiated any number of times.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

TAPS = 4


def blur(x: Tensor, padding: int, gain: float = 1.0) -> Tensor:
    """[NCRR] → [NC, R + 2 · padding − 3, …], zeros around; padding 0…3."""
    blurred: Tensor = _Blur.apply(x, padding, gain)
    return blurred


def blur_and_halve(x: Tensor) -> Tensor:
    """[NCRR], R even → [NC, R/2, R/2]: every second pixel of the blur with one pixel of zeros around."""
    halved: Tensor = _BlurAndHalve.apply(x)
    return halved


def _filtered(x: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=x.device, dtype=torch.float32) / 8
    kernel = (torch.outer(taps, taps) * gain).to(x.dtype)
    channels = x.shape[1]
    return F.conv2d(x, kernel.expand(channels, 1, TAPS, TAPS), stride=stride, padding=padding, groups=channels)


class _Blur(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, padding: int, gain: float) -> Tensor:
        ctx.padding, ctx.gain = padding, gain
        return _filtered(x, padding, gain=gain)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        return blur(gradients[0], TAPS - 1 - ctx.padding, ctx.gain), None, None


class _BlurAndHalve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _filtered(x, padding=1, stride=2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        doubled: Tensor = _DoubleAndBlur.apply(gradients[0])
        return doubled


class _DoubleAndBlur(torch.autograd.Function):
    """The adjoint of `_BlurAndHalve`: pixels apart with zeros between them, then the blur."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        count, channels, height, width = x.shape
        apart = torch.empty((count, channels, 2 * height - 1, 2 * width - 1), dtype=x.dtype, device=x.device)
        apart = apart.contiguous(memory_format=torch.channels_last).zero_()
        apart[:, :, ::2, ::2] = x
        return _filtered(apart, padding=2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return blur_and_halve(gradients[0])
