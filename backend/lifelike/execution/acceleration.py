# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a bundle's networks fast, as soon as what that takes is there."""

from __future__ import annotations

import logging
import threading

import torch
from torch import nn

from lifelike.bundles.bundle import Bundle
from lifelike.execution.block import FusedBlock
from lifelike.execution.encoder import FusedBottleneck, FusedStyleHead
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.library import THIS_PROCESS, Library
from lifelike.execution.precision import Precision
from lifelike.execution.probe import choose_precision
from lifelike.networks.arcface import ArcFace
from lifelike.networks.e4e import E4e, StyleHead
from lifelike.networks.ir_se import Bottleneck
from lifelike.networks.stylegan2 import SynthesisNetwork

FUSED_FROM = 16
"""The first resolution that the kernels gain by: below, weights weigh more than activations, and theirs are larger."""

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
        self.precision = Precision.FP32
        self._done = bundle.device.type != "cpu"
        self._guard = threading.Lock()
        choose_precision(precision, bundle.device.type, library.kernels())

    def refresh(self) -> None:
        """Take what has become ready since the last call; called before each picture, by any thread."""
        if self._done or not self._guard.acquire(blocking=False):
            return
        try:
            kernels = self._library.kernels()
            if kernels is not None:
                self._take(kernels)
                self._done = True
        finally:
            self._guard.release()

    def _take(self, kernels: Kernels) -> None:
        self.precision = choose_precision(self.wish, "cpu", kernels)
        half = self.precision is Precision.BF16
        for network in {self.bundle.photo.synthesis, self.bundle.inverted.synthesis}:
            fuse(network, kernels, half)
        if isinstance(self.bundle.encoder, E4e):
            fuse_encoder(self.bundle.encoder, kernels, half)
        if isinstance(self.bundle.identity, ArcFace):
            # In fp32: its figures are told, and are to be the same everywhere.
            fuse_units(self.bundle.identity.body, kernels, half=False)
        log.info("the networks run compiled, in %s", self.precision.value)


def fuse(network: SynthesisNetwork, kernels: Kernels, half: bool) -> None:
    """Let the kernels compute a network on the CPU wherever they gain."""
    with torch.no_grad():
        for resolution in network.settings.resolutions:
            if resolution >= FUSED_FROM:
                block = network.block(resolution)
                block.faster = FusedBlock(kernels, block, half)


def fuse_encoder(encoder: E4e, kernels: Kernels, half: bool) -> None:
    """The same for e4e."""
    fuse_units(encoder.body, kernels, half)
    for head in encoder.styles:
        assert isinstance(head, StyleHead)
        head.faster = FusedStyleHead(head, half)


def fuse_units(units: nn.Sequential, kernels: Kernels, half: bool) -> None:
    """The same for the residual units of e4e or ArcFace."""
    with torch.no_grad():
        for unit in units:
            assert isinstance(unit, Bottleneck)
            unit.faster = FusedBottleneck(kernels, unit, half)
