# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of a data set, drawn at random for one update."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


class RandomPictures:
    """Draws with torch's default generator, with replacement: what an update sees depends on its seed alone.

    Args:
        pixels: (N, R, R, 3) uint8, sRGB display values; may be a memory map.
        mirror: whether half of the pictures are mirrored.
        device: where the drawn pictures are wanted.
    """

    def __init__(self, pixels: NDArray[np.uint8], mirror: bool, device: torch.device) -> None:
        self.pixels, self.mirror, self.device = pixels, mirror, device

    def draw(self, count: int) -> Tensor:
        """[N3RR] float32, −1…1, channels last."""
        chosen = torch.randint(len(self.pixels), (count,))
        mirrored = torch.rand(count) < 0.5
        drawn = torch.from_numpy(self.pixels[chosen.numpy()])
        if self.mirror:
            drawn = torch.where(mirrored[:, None, None, None], drawn.flip(2), drawn)
        return signed(drawn.to(self.device, non_blocking=True))


def signed(pixels: Tensor) -> Tensor:
    """(N, R, R, 3) uint8 → [N3RR] float32, −1…1, channels last."""
    return pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
