# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that anyone can make again, by the rule of the parity fixtures: every tensor is drawn from its name."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch


def draw(tag: str, key: str, shape: Sequence[int]) -> np.ndarray:
    """Standard normal float32 from the tag and the key alone."""
    generator = np.random.default_rng(zlib.crc32(f"{tag}:{key}".encode()))
    return generator.standard_normal(tuple(shape)).astype(np.float32)


def ir_se_state(tag: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Every tensor of an IR-SE network (ArcFace, e4e) by the names of the published file."""
    norms = {key.removesuffix("running_mean") for key in shapes if key.endswith("running_mean")}
    state = {}
    for key, shape in shapes.items():
        prefix, _, last = key.rpartition(".")
        if last == "num_batches_tracked":
            state[key] = torch.zeros((), dtype=torch.int64)
            continue
        n = draw(tag, key, shape)
        if f"{prefix}." in norms:
            value = {
                "weight": 1 + 0.1 * n,
                "bias": 0.1 * n,
                "running_mean": 0.1 * n,
                "running_var": 1 + 0.1 * np.abs(n),
            }[last]
        elif last == "weight" and len(shape) == 1:
            value = np.full(tuple(shape), 0.25)
        elif key.startswith("styles.") and key.endswith(".linear.weight"):
            value = n
        elif last == "bias":
            value = 0.1 * n
        else:
            value = n * math.sqrt(1 / math.prod(shape[1:]))
        state[key] = torch.from_numpy(np.asarray(value, np.float32))
    return state


def stylegan2_state(tag: str, shapes: Mapping[str, Sequence[int]]) -> dict[str, torch.Tensor]:
    """Every tensor of a StyleGAN2 network by NVIDIA's names, without the constant filters."""
    state = {}
    for key, shape in shapes.items():
        if key.endswith("resample_filter"):
            continue
        value = draw(tag, key, shape)
        if key.endswith("noise_strength"):
            value = np.full(shape, 0.1, np.float32)
        elif key.startswith("mapping.fc") and key.endswith("weight"):
            value = 100 * value
        elif key.endswith("affine.bias"):
            value = 1 + 0.1 * value
        elif key.endswith(("w_avg", "bias")):
            value = 0.1 * value
        state[key] = torch.from_numpy(value)
    return state
