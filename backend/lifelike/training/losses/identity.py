# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is in two pictures."""

from __future__ import annotations

from torch import Tensor


def identity(embedding: Tensor, target: Tensor) -> Tensor:
    """1 − cos of unit embeddings [NE] (pSp, Richardson et al., arXiv 2008.00951, equation 3)."""
    return 1 - (embedding * target).sum(1).mean()
