# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of skin, hair and lips: where two looks must agree, whatever their grain."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor


def colour_agreement(first: Tensor, second: Tensor) -> Tensor:
    """L1 between low-passed pictures (averages over an eighth of the side).

    Stands for the paper's "color features relevant to facial identity"; the form is reconstructed.
    """
    size = first.shape[-1] // 8
    return (F.avg_pool2d(first, size) - F.avg_pool2d(second, size)).abs().mean()
