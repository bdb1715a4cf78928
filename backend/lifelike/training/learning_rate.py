# SPDX-License-Identifier: GPL-3.0-or-later
"""How a learning rate moves over a run."""

from __future__ import annotations

import math


def warm_cosine(fraction: float, peak: float, warm: float = 0.05, floor: float = 0.01) -> float:
    """Linear to the peak, then half a cosine down to floor · peak (Loshchilov and Hutter, arXiv 1608.03983).

    Args:
        fraction: finished share of the run, 0…1. warm: share of the run spent rising.
    """
    if fraction < warm:
        return peak * (0.05 + 0.95 * fraction / warm)
    share = (fraction - warm) / (1 - warm)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))
