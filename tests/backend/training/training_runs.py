# SPDX-License-Identifier: GPL-3.0-or-later
"""Small training runs for the tests: drawn pictures, a tiny photo generator, and what a run left behind."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.settings import read_settings

TIMES = ("images_per_second", "seconds")
"""Scalars that no two runs share."""
TINY = (
    "network.resolution=16",
    "network.channel_base=128",
    "network.channel_max=16",
    "network.z_dim=16",
    "network.w_dim=16",
    "network.mapping_layers=2",
    "run.precision=32-true",
    "run.accelerator=cpu",
    "run.threads=1",
    "run.batch=4",
    "data.reserved=",
)


def drawn_pictures(folder: Path, count: int = 6, side: int = 16) -> Path:
    """A folder of pictures: a disc on a ground, its place and both colours differing."""
    folder.mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    for index in range(count):
        colour = random.integers(30, 226, 3)
        centre = side / 2 + random.uniform(-side / 6, side / 6, 2)
        disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < (side / 3) ** 2
        pixels = np.where(disc[..., None], colour, 255 - colour).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")
    return folder


def tiny_changes(pictures: Path, *more: str) -> list[str]:
    """`--set` values of a tiny photo run."""
    return [*TINY, f"data.folders=[{json.dumps(str(pictures))}]", *more]


def tiny_settings(pictures: Path, *more: str) -> PhotoSettings:
    """Settings of a tiny photo run."""
    return read_settings(PhotoSettings, None, tiny_changes(pictures, *more))


def scalars(run: Path, but: Sequence[str] = TIMES) -> list[dict[str, Any]]:
    """The lines of scalars without those that measure time."""
    lines = [json.loads(line) for line in (run / "scalars.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in but} for line in lines]


def newest_checkpoint(run: Path) -> dict[str, Any]:
    """The contents of the newest checkpoint, without the seconds it took."""
    file = max((run / "checkpoints").glob("*.pt"))
    state: dict[str, Any] = torch.load(file, weights_only=True)
    return {key: value for key, value in state.items() if key != "seconds"}


def same(first: Any, second: Any) -> bool:
    """Whether two nested states are equal, bit for bit."""
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict):
        return first.keys() == second.keys() and all(same(first[key], second[key]) for key in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return bool(first == second)
