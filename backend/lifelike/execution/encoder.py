# SPDX-License-Identifier: GPL-3.0-or-later
"""The residual units and style heads of e4e and ArcFace by the compiled kernels."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lifelike.execution.convolution import StaticConvolution
from lifelike.execution.kernels.interface import Change, Kernels
from lifelike.execution.packed import PackedConvolution
from lifelike.execution.stand_in import StandIn
from lifelike.networks.e4e import StyleHead
from lifelike.networks.ir_se import Bottleneck, InputLayer, SqueezeExcitation

FUSED_WITHIN = {False: 256, True: 512}
"""Channels, in fp32 and bf16: with more, units work on 16 × 16 pixels, where the kernels' copies of the weights take
four times their memory for little (fp32; measured in bf16: 5 ms instead of 11)."""

HALVED_FROM = 64
"""The first side from which the kernels compute a style head's convolution: below, they gain nothing (measured)."""


def as_affine(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """What a norm in evaluation mode multiplies each channel by, and adds to it; [C] float32 each."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight.detach() * (norm.running_var + norm.eps).rsqrt()
    return scale, norm.bias.detach() - norm.running_mean * scale


def folded(convolution: nn.Conv2d, norm: nn.BatchNorm2d, dtype: torch.dtype) -> PackedConvolution:
    """A convolution with the norm behind it in its weights."""
    scale, shift = as_affine(norm)
    weight = (convolution.weight.detach() * scale[:, None, None, None]).to(dtype, memory_format=torch.channels_last)
    padding = 1 if weight.shape[-1] == 3 else 0
    return PackedConvolution(weight, shift.to(dtype), stride=convolution.stride[0], padding=padding)


def frozen_convolution(
    weight: Tensor, bias: Tensor, dtype: torch.dtype, *, stride: int = 1, slope: float = 1.0
) -> PackedConvolution | PlainConvolution:
    """A 3 × 3 convolution with the network's own weight in fp32, of which no copy is made, or with one in bf16."""
    if weight.dtype == dtype:
        return PlainConvolution(weight, bias, stride, slope)
    own = weight.to(dtype, memory_format=torch.channels_last)
    return PackedConvolution(own, bias.to(dtype), stride=stride, padding=1, slope=slope)


class PlainConvolution:
    """A 3 × 3 convolution and a leaky ReLU by torch."""

    def __init__(self, weight: Tensor, bias: Tensor, stride: int, slope: float) -> None:
        self.weight, self.bias, self.stride, self.slope = weight, bias, stride, slope

    def __call__(self, x: Tensor) -> Tensor:
        x = F.conv2d(x, self.weight, self.bias, self.stride, 1)
        return x if self.slope == 1.0 else F.leaky_relu_(x, self.slope)


class FusedInput(StandIn):
    """An `InputLayer` in evaluation mode. Gives bf16 where `half`."""

    def __init__(self, kernels: Kernels, layer: InputLayer, half: bool) -> None:
        super().__init__(layer)
        convolution, norm, prelu = cast(nn.Conv2d, layer[0]), cast(nn.BatchNorm2d, layer[1]), cast(nn.PReLU, layer[2])
        gain, bias = as_affine(norm)
        slope = prelu.weight.detach().float()
        self.convolution = StaticConvolution(kernels, convolution.weight, bias, gain=gain, slope=slope, half=half)

    def __call__(self, x: Tensor) -> Tensor:  # [N3RR] → [NORR]
        return self.convolution(x)


class FusedConvolutions:
    """Norm, convolution, PReLU, convolution and norm of a `Bottleneck`, on many pixels."""

    def __init__(self, kernels: Kernels, layers: nn.Sequential, half: bool) -> None:
        first, convolution, prelu, second, last = (layers[index] for index in range(5))
        scale, shift = as_affine(cast(nn.BatchNorm2d, first))
        slope = cast(nn.PReLU, prelu).weight.detach().float()
        self.first = StaticConvolution(
            kernels,
            cast(nn.Conv2d, convolution).weight,
            torch.zeros_like(slope),
            scale=scale,
            shift=shift,
            slope=slope,
            half=half,
        )
        second, last = cast(nn.Conv2d, second), cast(nn.BatchNorm2d, last)
        gain, bias = as_affine(last)
        change = Change.SAME if second.stride == (1, 1) else Change.HALVED
        self.second = StaticConvolution(kernels, second.weight, bias, gain=gain, change=change, half=half)

    def __call__(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class PlainConvolutions:
    """The same, on few pixels: two of torch's convolutions."""

    def __init__(self, layers: nn.Sequential, dtype: torch.dtype) -> None:
        first, convolution, prelu, second, last = (layers[index] for index in range(5))
        self.scale, self.shift = (value[:, None, None].to(dtype) for value in as_affine(cast(nn.BatchNorm2d, first)))
        weight = cast(nn.Conv2d, convolution).weight.detach()
        self.first = frozen_convolution(weight, torch.zeros(weight.shape[0], device=weight.device), dtype)
        self.slope = cast(nn.PReLU, prelu).weight.detach().to(dtype)
        self.second = folded(cast(nn.Conv2d, second), cast(nn.BatchNorm2d, last), dtype)

    def __call__(self, x: Tensor) -> Tensor:
        return self.second(F.prelu(self.first(torch.addcmul(self.shift, x, self.scale)), self.slope))


class FusedBottleneck(StandIn):
    """A `Bottleneck` in evaluation mode. Gives bf16 where `half`, whatever it is given."""

    def __init__(self, kernels: Kernels, unit: Bottleneck, half: bool) -> None:
        super().__init__(unit)
        self.dtype = torch.bfloat16 if half else torch.float32
        layers = unit.res_layer
        few = cast(nn.Conv2d, layers[3]).out_channels > FUSED_WITHIN[half]
        self.convolutions = PlainConvolutions(layers, self.dtype) if few else FusedConvolutions(kernels, layers, half)
        attention = cast(SqueezeExcitation, layers[5])
        self.squeeze, self.excite = (layer.weight.detach()[:, :, 0, 0] for layer in (attention.fc1, attention.fc2))
        shortcut = unit.shortcut_layer
        self.stride = cast(nn.Conv2d, layers[3]).stride[0]
        self.shortcut: PackedConvolution | None = None
        if isinstance(shortcut, nn.Sequential):
            convolution, norm = cast(nn.Conv2d, shortcut[0]), cast(nn.BatchNorm2d, shortcut[1])
            self.shortcut = folded(convolution, norm, self.dtype)

    def __call__(self, x: Tensor) -> Tensor:  # [NIRR] → [NORR] / stride
        x = x.to(self.dtype, memory_format=torch.channels_last)
        y = self.convolutions(x)
        means = y.mean((2, 3), dtype=torch.float32)
        weights = F.linear(F.linear(means, self.squeeze).relu(), self.excite).sigmoid().to(self.dtype)
        beside = x[:, :, :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(x)
        return torch.addcmul(beside, y, weights[:, :, None, None])


class FusedStyleHead(StandIn):
    """A `StyleHead` whose convolutions run in one precision from the first to the last."""

    def __init__(self, kernels: Kernels, head: StyleHead, half: bool) -> None:
        super().__init__(head)
        self.dtype = torch.bfloat16 if half else torch.float32
        layers = list(head.convs)
        sides = [2**power for power in range(len(layers) // 2, 0, -1)]  # of what each convolution reads
        self.convolutions = [
            self._convolution(kernels, cast(nn.Conv2d, layer), cast(nn.LeakyReLU, activation), side)
            for layer, activation, side in zip(layers[::2], layers[1::2], sides, strict=True)
        ]
        self.linear = head.linear

    def _convolution(
        self, kernels: Kernels, layer: nn.Conv2d, activation: nn.LeakyReLU, side: int
    ) -> StaticConvolution | PackedConvolution | PlainConvolution:
        assert layer.bias is not None
        weight, bias, slope = layer.weight.detach(), layer.bias.detach(), activation.negative_slope
        # In fp32 the heads make up most of the network's memory, and the kernels' copies would triple it.
        if side >= HALVED_FROM and self.dtype == torch.bfloat16:
            slopes = torch.full_like(bias, slope)
            return StaticConvolution(kernels, weight, bias.float(), slope=slopes, change=Change.HALVED, half=True)
        return frozen_convolution(weight, bias, self.dtype, stride=2, slope=slope)

    def __call__(self, x: Tensor) -> Tensor:  # [NCSS] → [N, w_dim]
        x = x.to(self.dtype, memory_format=torch.channels_last)
        for convolution in self.convolutions:
            x = convolution(x)
        w: Tensor = self.linear(x.flatten(1).float())
        return w
