# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a bundle's networks fast, as soon as what that takes is there."""

from __future__ import annotations

import logging
import threading

import torch
from torch import nn

from lifelike.bundles.bundle import Bundle
from lifelike.devices import return_freed_memory
from lifelike.execution.block import FusedBlock
from lifelike.execution.encoder import FusedBottleneck, FusedInput, FusedStyleHead
from lifelike.execution.gpu import GraphedEncoder, GraphedSynthesis
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.library import THIS_PROCESS, Library
from lifelike.execution.precision import Precision
from lifelike.execution.prepared import PreparedBlock
from lifelike.execution.probe import choose_precision
from lifelike.execution.small_encoder import fuse_small_encoder
from lifelike.networks.arcface import ArcFace
from lifelike.networks.e4e import E4e, StyleHead
from lifelike.networks.encoder import Encoder
from lifelike.networks.ir_se import Bottleneck
from lifelike.networks.stylegan2 import SynthesisNetwork

FUSED_FROM = {False: 32, True: 8}
"""The first resolution that the kernels compute, in fp32 and in bf16: below, they gain little, and their copies of the
weights are larger (measured, bf16, 512 channels of 8 and 16 pixels: 6 ms instead of 15, and 45 MB more)."""

DTYPES = {Precision.FP32: torch.float32, Precision.BF16: torch.bfloat16, Precision.FP16: torch.float16}

log = logging.getLogger(__name__)


class Acceleration:
    """Swaps faster ways to compute into a bundle's networks. Whoever calls the networks need not know.

    Nobody waits for a compiler: until it is done the networks compute as they are.

    Args:
        precision: the wish.

    Raises:
        LifelikeError: INVALID_SETTING for a precision that is slower here than fp32.
    """

    def __init__(self, bundle: Bundle, precision: Precision = Precision.AUTO, library: Library = THIS_PROCESS) -> None:
        self.bundle, self.wish, self._library = bundle, precision, library
        self._done = False
        self._guard = threading.Lock()
        kernels = library.kernels() if bundle.device.type == "cpu" else None
        self.precision = choose_precision(precision, bundle.device.type, kernels)
        if bundle.device.type == "cuda":
            self._record()
            self._done = True
        elif kernels is None:
            self._prepare()
        self.refresh()

    def refresh(self) -> None:
        """Take what has become ready since the last call; called before each picture, by any thread."""
        if self._done or not self._guard.acquire(blocking=False):
            return
        try:
            kernels = self._library.kernels()
            if kernels is not None:
                self._fuse(kernels)
                self._done = True
        finally:
            self._guard.release()

    def _generators(self) -> set[SynthesisNetwork]:
        return {self.bundle.photo.synthesis, self.bundle.inverted.synthesis}

    def _prepare(self) -> None:
        for network in self._generators():
            prepare(network, DTYPES[self.precision])

    def _fuse(self, kernels: Kernels) -> None:
        self.precision = choose_precision(self.wish, "cpu", kernels)
        half = self.precision is Precision.BF16
        for network in self._generators():
            fuse(network, kernels, half)
        if isinstance(self.bundle.encoder, E4e):
            fuse_encoder(self.bundle.encoder, kernels, half)
        elif isinstance(self.bundle.encoder, Encoder):
            fuse_small_encoder(self.bundle.encoder, kernels, half)
        if isinstance(self.bundle.identity, ArcFace):
            # In fp32: its figures are told, and are to be the same everywhere.
            fuse_units(self.bundle.identity.body, kernels, half=False)
        return_freed_memory()
        log.info("the networks run compiled, in %s", self.precision.value)

    def _record(self) -> None:
        self._prepare()
        for network in self._generators():
            network.faster = GraphedSynthesis(network)
        encoder = self.bundle.encoder
        if encoder is not None:
            encoder.faster = GraphedEncoder(encoder, encoder.compute, DTYPES[self.precision])
        log.info("the networks run as CUDA graphs, in %s", self.precision.value)


def fuse(network: SynthesisNetwork, kernels: Kernels, half: bool) -> None:
    """Let the kernels compute a network on the CPU wherever they gain."""
    with torch.no_grad():
        for resolution in network.settings.resolutions:
            block = network.block(resolution)
            if resolution >= FUSED_FROM[half]:
                block.faster = FusedBlock(kernels, block, half)
            else:
                block.faster = PreparedBlock(block, torch.bfloat16 if half else torch.float32)


def prepare(network: SynthesisNetwork, dtype: torch.dtype) -> None:
    """Let torch compute a network without what only training needs, on any device."""
    with torch.no_grad():
        for resolution in network.settings.resolutions:
            block = network.block(resolution)
            block.faster = PreparedBlock(block, dtype)


def as_fast_as(model: SynthesisNetwork, network: SynthesisNetwork) -> SynthesisNetwork:
    """Lets a network of other weights be computed as `model` is, block by block; gives that network."""
    with torch.no_grad():
        for resolution in network.settings.resolutions:
            faster, block = model.block(resolution).faster, network.block(resolution)
            if isinstance(faster, (FusedBlock, PreparedBlock)):
                block.faster = faster.of(block)
    return network


def fuse_encoder(encoder: E4e, kernels: Kernels, half: bool) -> None:
    """The same for e4e."""
    with torch.no_grad():
        encoder.input_layer.faster = FusedInput(kernels, encoder.input_layer, half)
    fuse_units(encoder.body, kernels, half)
    for head in encoder.styles:
        assert isinstance(head, StyleHead)
        head.faster = FusedStyleHead(kernels, head, half)


def fuse_units(units: nn.Sequential, kernels: Kernels, half: bool) -> None:
    """The same for the residual units of e4e or ArcFace."""
    with torch.no_grad():
        for unit in units:
            assert isinstance(unit, Bottleneck)
            unit.faster = FusedBottleneck(kernels, unit, half)
