# SPDX-License-Identifier: GPL-3.0-or-later
"""The small encoder on a CPU: 3 × 3 convolutions by the compiled kernels, everything in bf16 where that is wished."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lifelike.execution.convolution import StaticConvolution
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.stand_in import StandIn
from lifelike.networks.encoder import Encoder, Latent, Residual


def biased(kernels: Kernels, layer: nn.Conv2d, half: bool) -> StaticConvolution:
    """A 3 × 3 convolution and its bias; what is beside it can be added in the same pass."""
    assert layer.bias is not None
    return StaticConvolution(kernels, layer.weight, layer.bias.detach().float(), half=half)


class FusedResidual(StandIn):
    """A `Residual`. Gives bf16 where `half`."""

    def __init__(self, kernels: Kernels, block: Residual, half: bool) -> None:
        super().__init__(block)
        self._block = block
        self.first, self.second = (biased(kernels, layer, half) for layer in (block.conv0, block.conv1))

    def __call__(self, x: Tensor) -> Tensor:
        """As the block's `forward`."""
        if self._block.down:
            x = F.avg_pool2d(x, 2)
        y = self.first(F.silu(self._block.norm0(x), inplace=True))
        return self.second(F.silu(self._block.norm1(y), inplace=True), added=self._block.shortcut(x))


class HalfEncoder(StandIn):
    """An `Encoder` in bf16; its latents are float32 as ever."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self._encoder = encoder

    def __call__(self, portrait: Tensor) -> Latent:
        """As the encoder's `forward`."""
        with torch.autocast("cpu", torch.bfloat16):
            return self._encoder.compute(portrait)


def fuse_small_encoder(encoder: Encoder, kernels: Kernels, half: bool) -> None:
    """Let the kernels compute an encoder on the CPU."""
    with torch.no_grad():
        for block in (*encoder.down, *encoder.up):
            assert isinstance(block, Residual)
            block.faster = FusedResidual(kernels, block, half)
        encoder.faster = HalfEncoder(encoder) if half else None
