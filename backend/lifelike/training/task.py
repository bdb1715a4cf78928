# SPDX-License-Identifier: GPL-3.0-or-later
"""What one kind of training (photo, render, encoder, …) provides to the loop that runs it.

The loop (`lifelike.training.run`) owns time, files, devices and random seeds; a task owns networks, data and terms.
Before each step the loop seeds torch's random numbers from (seed, step, rank), so a step's draws depend on nothing
that came before: a resumed run makes the same numbers without storing any generator's state. A task therefore draws
from torch's default generator only (never Python's `random` or numpy's).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from attrs import field, frozen, validators
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from lightning_fabric import Fabric


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
    pictures: int = field(default=100_000, validator=validators.ge(1))
    batch: int = field(default=8, validator=validators.ge(1))
    accumulate: int = field(default=1, validator=validators.ge(1))
    precision: str = "auto"
    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = field(default=1, validator=validators.ge(1))
    threads: int = field(default=0, validator=validators.ge(0))
    compile: bool = False
    save_every: int = field(default=5_000, validator=validators.ge(1))  # pictures between checkpoints
    sheet_every: int = field(default=10_000, validator=validators.ge(1))  # pictures between sample sheets
    scalars_every: int = field(default=400, validator=validators.ge(1))  # pictures between lines of scalars
    keep: int = field(default=2, validator=validators.ge(0))  # checkpoints kept beside the newest


@frozen
class Moment:
    """Where a run stands: updates done, pictures seen over all processes, and the share 0…1 of its length."""

    step: int
    pictures: int
    fraction: float


class Task(ABC):
    """One kind of training.

    Subclasses have the class attributes ``kind`` and ``settings_class`` (attrs, frozen, with a field
    ``run: RunSettings``); ``__init__`` builds networks (`descent.place`) and optimisers (`descent.Descent`) and reads
    the data, raising LifelikeError with one clear sentence for whatever is wrong before any work starts. It is called
    with the same random numbers in every process, so that all begin with the same weights.
    """

    kind: ClassVar[str]
    settings_class: ClassVar[type]

    @abstractmethod
    def __init__(self, settings: Any, fabric: Fabric) -> None: ...

    @abstractmethod
    def step(self, moment: Moment) -> Mapping[str, float | Tensor]:
        """One update of everything; returns scalars by name (losses, gradient norms, ADA p, …).

        Tensors are brought over from the device together, once a step. A value that is not finite ends the run.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Tensors and plain values that a resumed run needs: networks, averages, optimisers, running statistics."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""

    @abstractmethod
    def sheet(self) -> Image.Image | None:
        """Samples on fixed latents and fixed renders, or None where a task shows nothing.

        Called in the first process alone, as is `export`.
        """

    @abstractmethod
    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        """Write the networks as safetensors (`lifelike.networks.weights`) into the run folder.

        Called with every checkpoint, so that an unfinished run can be looked at and started from.
        """
