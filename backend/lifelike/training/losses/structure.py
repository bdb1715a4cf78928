# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of a face: coarse pictures of two generators held together."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def coarse_pictures(first: Sequence[Tensor], second: Sequence[Tensor]) -> Tensor:
    """Sum over the layers of the mean squared difference of their RGB outputs.

    Cartoon-StyleGAN (Back, arXiv 2106.12445), structure loss: the layout of a face is decided in the first layers.

    Args:
        first, second: RGB so far after the same resolutions of two generators, each [N3rr].
    """
    return torch.stack([(a.float() - b.float()).square().mean() for a, b in zip(first, second, strict=True)]).sum()
