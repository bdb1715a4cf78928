# SPDX-License-Identifier: GPL-3.0-or-later
"""Activations of two generators held together, so that the copy keeps its parent's inner language."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def activations(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Squared difference of activations, summed over channels, averaged over places and resolutions.

    FixNoise (Lee et al., arXiv 2204.14079), feature matching at fixed noise; the sum over channels is that of its
    published code.

    Args:
        first, second: activations after the same resolutions of two generators, each [NCrr].
    """
    apart = [(a.float() - b.float()).square().sum(1).mean() for a, b in zip(first, second, strict=True)]
    return torch.stack(apart).mean()
