# SPDX-License-Identifier: GPL-3.0-or-later
"""What one kind of training (photo, render, encoder, …) provides to the loop that runs it.

The loop (`lifelike.training.run`) owns time, files, devices and random seeds; a task owns networks, data and terms.
Before each step the loop seeds torch's random numbers from (seed, step, rank), so a step's draws depend on nothing
that came before: a resumed run makes the same numbers without storing any generator's state. A task therefore draws
from torch's default generator only (never Python's `random` or numpy's).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from attrs import frozen
from PIL import Image


@frozen
class RunSettings:
    """Settings of the loop, the table ``[run]`` of a configuration.

    pictures: length of the run in training pictures, over all processes; schedules follow it.
    batch: pictures per update over all processes; accumulate: in how many parts each process does its share.
    precision: Lightning Fabric's: "32-true", "bf16-mixed", "16-mixed"; "auto" chooses by the device.
    accelerator, devices, nodes: Lightning Fabric's.
    threads: of torch on a CPU; 0 leaves torch's choice.
    """

    seed: int = 0
    pictures: int = 100_000
    batch: int = 8
    accumulate: int = 1
    precision: str = "auto"
    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    threads: int = 0
    compile: bool = False
    save_every: int = 5_000  # pictures between checkpoints
    sheet_every: int = 10_000  # pictures between sample sheets
    keep: int = 2  # checkpoints kept beside the newest


@frozen
class Moment:
    """Where a run stands: updates done, pictures seen over all processes, and the share 0…1 of its length."""

    step: int
    pictures: int
    fraction: float


class Task(ABC):
    """One kind of training.

    Subclasses have a class attribute ``kind`` and a settings class (attrs, frozen) with a field ``run: RunSettings``;
    ``__init__(settings, fabric)`` builds networks and optimisers through `fabric.setup` and reads the data, raising
    LifelikeError with one clear sentence for whatever is wrong before any work starts.
    """

    kind: str

    @abstractmethod
    def step(self, moment: Moment) -> dict[str, float]:
        """One update of everything; returns scalars by name (losses, gradient norms, ADA p, …)."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Tensors and plain values that a resumed run needs: networks, averages, optimisers, running statistics."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""

    @abstractmethod
    def sheet(self) -> Image.Image | None:
        """Samples on fixed latents and fixed renders, or None where a task shows nothing."""

    @abstractmethod
    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        """Write the finished networks as safetensors (`lifelike.networks.weights`) into the run folder."""
