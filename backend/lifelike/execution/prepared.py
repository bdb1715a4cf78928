# SPDX-License-Identifier: GPL-3.0-or-later
"""One resolution of a synthesis network by torch alone, for inference: weights prepared once, results in place.

For machines without a compiler, for GPUs, and for the lowest resolutions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.execution.stand_in import StandIn
from lifelike.networks.blur import blur
from lifelike.networks.stylegan2 import ACTIVATION_GAIN, LEAKY_SLOPE, Linear, SynthesisBlock, SynthesisLayer, ToRGB


class FrozenLinear:
    """A `Linear` with its gains multiplied in."""

    def __init__(self, linear: Linear, gain: float = 1.0) -> None:
        self.weight = linear.weight.detach().float() * (linear.weight_gain * gain)
        self.bias = linear.bias.detach().float() * (linear.bias_gain * gain)

    def __call__(self, x: Tensor) -> Tensor:  # [NI] → [NO]
        return F.linear(x, self.weight, self.bias)


class Modulation:
    """What a `SynthesisLayer` makes of w: styles, and the gain that takes them out again (demodulation)."""

    def __init__(self, layer: SynthesisLayer) -> None:
        self.style = FrozenLinear(layer.affine)
        self.power = layer.weight.detach().float().square().sum((2, 3))  # [OI]

    def __call__(self, w: Tensor) -> tuple[Tensor, Tensor]:  # [N, w_dim] → [NI], [NO]
        style = self.style(w.float())
        return style, (F.linear(style.square(), self.power) + 1e-8).rsqrt() * ACTIVATION_GAIN


class NoiseMaps:
    """A layer's noise with its strength and the activation's gain; the constant map is scaled once."""

    def __init__(self, layer: SynthesisLayer) -> None:
        self.strength = float(layer.noise_strength) * ACTIVATION_GAIN
        self.constant = layer.noise_const
        self.scaled = (layer.noise_const * self.strength).float()[None]

    def __call__(self, noise: Tensor | None) -> Tensor | None:
        """[RR] or [N1RR] → [1RR] or [NRR] float32, or None where there is nothing to add."""
        if noise is None or self.strength == 0.0:
            return None
        return self.scaled if noise is self.constant else noise.reshape(-1, *noise.shape[-2:]).float() * self.strength


BAND = 64
"""Rows of a picture that are doubled at a time on a CPU (reconstructed)."""


def doubled(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution and blur: [NIRR], [IO33] → [N, O, 2 R, 2 R].

    In bands: at once, what lies between the two would take as much memory as the result.
    """
    height, width = x.shape[2:]
    if height <= BAND or x.device.type != "cpu":
        return blur(F.conv_transpose2d(x, weight, stride=2), padding=1, gain=4.0)
    y = torch.empty(
        x.shape[0], weight.shape[1], 2 * height, 2 * width, dtype=x.dtype, memory_format=torch.channels_last
    )
    for first in range(0, height, BAND):
        end = min(first + BAND, height)
        above = min(first, 1)  # a row more on each side, where there is one
        band = blur(F.conv_transpose2d(x[:, :, first - above : end + 1], weight, stride=2), padding=1, gain=4.0)
        y[:, :, 2 * first : 2 * end] = band[:, :, 2 * above : 2 * (above + end - first)]
    return y


class PreparedLayer:
    """A `SynthesisLayer`."""

    def __init__(self, layer: SynthesisLayer, dtype: torch.dtype) -> None:
        self.up, self.dtype = layer.up, dtype
        self.modulation, self.noise = Modulation(layer), NoiseMaps(layer)
        weight = layer.weight.detach()
        weight = weight.transpose(0, 1) if layer.up else weight
        self.weight = weight.to(dtype).contiguous(memory_format=torch.channels_last)
        self.bias = (layer.bias.detach() * ACTIVATION_GAIN).to(dtype)[:, None, None]

    def __call__(self, x: Tensor, w: Tensor, noise: Tensor | None, own: bool = False) -> Tensor:
        """As the layer's `forward`; what is in `x` is lost where it is the layer's own."""
        style, gain = (values.to(self.dtype)[:, :, None, None] for values in self.modulation(w))
        x = x.to(self.dtype, memory_format=torch.channels_last)
        x = x.mul_(style) if own else x * style
        x = doubled(x, self.weight) if self.up else F.conv2d(x, self.weight, padding=1)
        torch.addcmul(self.bias, x, gain, out=x)
        maps = self.noise(noise)
        if maps is not None:
            x += maps.to(self.dtype)[:, None]
        return F.leaky_relu_(x, LEAKY_SLOPE)


class PreparedToRGB:
    """A `ToRGB` layer: its styles go into the few weights it has."""

    def __init__(self, layer: ToRGB) -> None:
        self.style = FrozenLinear(layer.affine, layer.weight_gain)
        self.weight = layer.weight.detach().float()[:, :, 0, 0]  # [3I]
        self.bias = layer.bias.detach().float()

    def weights(self, w: Tensor) -> Tensor:  # [N, w_dim] → [N3I] float32
        return self.style(w.float())[:, None] * self.weight

    def __call__(self, x: Tensor, w: Tensor) -> Tensor:  # [NIRR], [N, w_dim] → [N3RR] float32
        weights = self.weights(w).to(x.dtype)
        pictures = [F.conv2d(x[i : i + 1], weights[i, :, :, None, None]).float() for i in range(x.shape[0])]
        return torch.cat(pictures) + self.bias[:, None, None]


class PreparedBlock(StandIn):
    """A `SynthesisBlock`; activations have the given type, the picture is float32."""

    def __init__(self, block: SynthesisBlock, dtype: torch.dtype) -> None:
        super().__init__(block)
        self._dtype = dtype
        self.const = block.const.detach()[None] if block.first else None
        self.layers = [PreparedLayer(layer, dtype) for layer in block.layers]
        self.rgb = PreparedToRGB(block.torgb)

    def __call__(
        self, x: Tensor | None, image: Tensor | None, ws: Tensor, noise: list[Tensor | None], added: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As the block's `forward`."""
        if x is None:
            assert self.const is not None
            x = self.const.expand(ws.shape[0], -1, -1, -1)
        for index, layer in enumerate(self.layers):
            x = layer(x, ws[:, index], noise[index], own=index > 0)
        if added is not None:
            x += added.to(x.dtype)
        rgb = self.rgb(x, ws[:, len(self.layers)])
        if image is not None:
            # As in the plain block: doubling a picture with zeros around it.
            doubled = F.interpolate(F.pad(image, (1, 1, 1, 1)), scale_factor=2, mode="bilinear")
            rgb += doubled[:, :, 2:-2, 2:-2]
        return x, rgb

    def of(self, block: SynthesisBlock) -> PreparedBlock:
        """The same for a block with other weights."""
        return PreparedBlock(block, self._dtype)
