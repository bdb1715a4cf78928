# SPDX-License-Identifier: GPL-3.0-or-later
"""The inner face of an FFHQ-aligned portrait, where the small networks look."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as functional
from torch import Tensor

INNER_FACE = (0.14, 0.22, 0.86, 0.94)
"""x0, y0, x1, y1 as shares of the portrait: brows to chin, cheek to cheek."""


def inner_face(portraits: Tensor, box: Sequence[float], size: int) -> Tensor:
    """(N, C, R, R) → (N, C, size, size): what lies in the box, antialiased when it shrinks."""
    height, width = portraits.shape[-2:]
    x0, y0, x1, y1 = box
    inner = portraits[..., round(y0 * height) : round(y1 * height), round(x0 * width) : round(x1 * width)]
    shrinks = inner.shape[-1] > size
    return functional.interpolate(inner, (size, size), mode="bilinear", align_corners=False, antialias=shrinks)
