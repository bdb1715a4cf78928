# SPDX-License-Identifier: GPL-3.0-or-later
"""Latents through a generator."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from lifelike.generation.latents import Latents
from lifelike.generation.space import Space
from lifelike.networks.stylegan2 import Generator

BATCH = {"cpu": 1, "cuda": 8}
"""Pictures at a time: on a CPU more are no faster and take more memory."""


def generate_pictures(
    generator: Generator, latents: Latents, truncation: float = 1.0, before_each: Callable[[], None] = lambda: None
) -> Iterator[Tensor]:
    """The pictures of latents, in their order and in batches, with the generator's constant noise.

    Args:
        generator: on the device that is to work.
        truncation: ψ, which pulls every w towards the mean w; 1 leaves it (arXiv 1812.04948, appendix B).
        before_each: called before each batch.

    Yields:
        [N3RR] float32 on the CPU, about −1…1, not clipped.
    """
    device = generator.mapping.w_avg.device
    count = BATCH.get(device.type, 1)
    for start in range(0, len(latents), count):
        before_each()
        part = torch.from_numpy(np.array(latents.values[start : start + count], np.float32)).to(device)
        yield _pictures(generator, part, latents.space, truncation)


@torch.inference_mode()
def _pictures(generator: Generator, latents: Tensor, space: Space, truncation: float) -> Tensor:
    if space is Space.Z:
        ws = generator.w_plus(generator.mapping(latents, truncation))
    else:
        w = latents if truncation == 1.0 else generator.mapping.w_avg.lerp(latents, truncation)
        ws = w if w.ndim == 3 else generator.w_plus(w)
    return generator.synthesis(ws).float().cpu()
