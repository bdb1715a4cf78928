# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators and encoders on a GPU: in bf16 or fp16, as CUDA graphs. Written without a GPU at hand; see `graphs`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from lifelike.execution.graphs import Graphed, Recorder, record_cuda
from lifelike.execution.stand_in import StandIn
from lifelike.networks.encoder import Latent
from lifelike.networks.stylegan2 import SynthesisNetwork


class GraphedSynthesis(StandIn):
    """A `SynthesisNetwork` with constant noise or none; its blocks may have stand-ins of their own."""

    def __init__(self, network: SynthesisNetwork, record: Recorder = record_cuda) -> None:
        super().__init__(network)
        self._network, self._record = network, record
        self._graphs: dict[tuple, Graphed] = {}

    def __call__(self, ws: Tensor, noise: str, features: Mapping[int, Tensor] | None) -> Tensor:
        """As the network's `forward`, which is what runs where noise is to be drawn."""
        if noise == "random":
            return self._network.compute(ws, noise, features)
        sides = tuple(features or ())
        graphed = self._graphs.setdefault((noise, sides), Graphed(self._function(noise, sides), self._record))
        (picture,) = graphed(ws, *(features or {}).values())
        return picture

    def _function(self, noise: str, sides: tuple[int, ...]) -> Callable[..., tuple[Tensor, ...]]:
        def function(ws: Tensor, *codes: Tensor) -> tuple[Tensor, ...]:
            return (self._network.compute(ws, noise, dict(zip(sides, codes, strict=True))),)

        return function


class GraphedEncoder(StandIn):
    """An encoder in another precision; its latents are float32 as ever."""

    def __init__(
        self,
        encoder: nn.Module,
        compute: Callable[[Tensor], Latent],
        dtype: torch.dtype,
        record: Recorder = record_cuda,
    ) -> None:
        super().__init__(encoder)
        self._compute, self._dtype = compute, dtype
        self._sides: tuple[int, ...] = ()
        self._graphed = Graphed(self._function, record)

    def __call__(self, portrait: Tensor) -> Latent:
        """As the encoder's `forward`."""
        ws, *codes = self._graphed(portrait)
        return Latent(ws, dict(zip(self._sides, codes, strict=True)))

    def _function(self, portrait: Tensor) -> tuple[Tensor, ...]:
        # Without the cache: cast weights it holds would not outlive the recording.
        with torch.autocast(portrait.device.type, self._dtype, cache_enabled=False):
            latent = self._compute(portrait)
        self._sides = tuple(latent.features)
        return (latent.ws.float(), *(code.float() for code in latent.features.values()))
