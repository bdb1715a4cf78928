# SPDX-License-Identifier: GPL-3.0-or-later
"""One resolution of a synthesis network by the compiled kernels."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_int32

import torch
from torch import Tensor

from lifelike.execution.convolution import FusedConvolution, activations, padded, vectors
from lifelike.execution.kernels.interface import Change, Kernels, ToRGB
from lifelike.execution.prepared import Modulation, NoiseMaps, PreparedToRGB
from lifelike.execution.stand_in import StandIn
from lifelike.execution.threads import together
from lifelike.networks.stylegan2 import ACTIVATION_GAIN, LEAKY_SLOPE, SynthesisBlock, SynthesisLayer
from lifelike.networks.stylegan2 import ToRGB as ToRGBLayer


class FusedLayer:
    """A `SynthesisLayer`: its weights static, Σ W² over the filter known, all gains multiplied in."""

    def __init__(self, kernels: Kernels, layer: SynthesisLayer, half: bool) -> None:
        self.modulation, self.noise = Modulation(layer), NoiseMaps(layer)
        change = Change.DOUBLED if layer.up else Change.SAME
        self.convolution = FusedConvolution(kernels, layer.weight, change=change, half=half)
        self.bias = layer.bias.detach().float() * ACTIVATION_GAIN
        self.slope = torch.full_like(self.bias, LEAKY_SLOPE)

    def __call__(self, x: Tensor, w: Tensor, noise: Tensor | None, added: Tensor | None = None) -> Tensor:
        style, gain = self.modulation(w)
        maps = self.noise(noise)
        return self.convolution(x, scale=style, gain=gain, bias=self.bias, slope=self.slope, noise=maps, added=added)


class FusedToRGB:
    """A `ToRGB` layer with the doubling of the picture so far."""

    def __init__(self, kernels: Kernels, layer: ToRGBLayer, half: bool) -> None:
        self.kernels, self.half = kernels, half
        self.prepared = PreparedToRGB(layer)
        self.bias = self.prepared.bias.contiguous()

    def __call__(self, x: Tensor, w: Tensor, image: Tensor | None) -> Tensor:
        """[NIRR], [N, w_dim], [N3R/2R/2] → [N3RR] float32."""
        count, inputs, height, width = x.shape
        lanes = self.kernels.lanes
        x = activations(x, lanes, self.half)
        weight = vectors(self.prepared.weights(w), lanes)  # [N3I]
        image = None if image is None else image.float().contiguous()
        y = torch.empty(count, 3, height, width)
        following = c_int32(0)
        job = ToRGB(inputs=padded(inputs, lanes), height=height, width=width, half=self.half)
        job.bias, job.next = self.bias.data_ptr(), ctypes.addressof(following)
        for index in range(count):
            following.value = 0
            job.x, job.y, job.weight = x[index].data_ptr(), y[index].data_ptr(), weight[index].data_ptr()
            job.image = None if image is None else image[index].data_ptr()
            together(lambda: self.kernels.to_rgb(byref(job)))
        return y


class FusedBlock(StandIn):
    """A `SynthesisBlock` of a resolution from 8 on. The block's weights are copied in another form.

    Equal to the plain block but for rounding; `tests/backend/execution` holds it to that.
    """

    def __init__(self, kernels: Kernels, block: SynthesisBlock, half: bool) -> None:
        super().__init__(block)
        self._kernels, self._half = kernels, half
        *first, last = block.layers
        self.first = [FusedLayer(kernels, layer, half) for layer in first]
        self.last = FusedLayer(kernels, last, half)
        self.rgb = FusedToRGB(kernels, block.torgb, half)

    def __call__(
        self, x: Tensor, image: Tensor | None, ws: Tensor, noise: list[Tensor | None], added: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """As the block's `forward`."""
        count = len(self.first)
        for index, layer in enumerate(self.first):
            x = layer(x, ws[:, index], noise[index])
        x = self.last(x, ws[:, count], noise[count], added)
        return x, self.rgb(x, ws[:, count + 1], image)

    def of(self, block: SynthesisBlock) -> FusedBlock:
        """The same for a block with other weights."""
        return FusedBlock(self._kernels, block, self._half)
