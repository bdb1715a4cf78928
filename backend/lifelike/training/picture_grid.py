# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of pictures as one picture, for sample sheets."""

from __future__ import annotations

from PIL import Image
from torch import Tensor


def picture_grid(pictures: Tensor, columns: int) -> Image.Image:
    """[N3RR], −1…1, N a multiple of `columns` → rows of pictures side by side."""
    rows = len(pictures) // columns
    pixels = ((pictures.float().cpu() + 1) * 127.5).round().clamp(0, 255).byte()
    table = pixels[: rows * columns].unflatten(0, (rows, columns)).permute(0, 3, 1, 4, 2)
    return Image.fromarray(table.flatten(2, 3).flatten(0, 1).contiguous().numpy())
