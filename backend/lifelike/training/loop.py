# SPDX-License-Identifier: GPL-3.0-or-later
"""A training run bounded by minutes: seeded, showing progress, and resumed from an atomic checkpoint when stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

import torch
from rich.console import Console

from lifelike.training.checkpoint import save_checkpoint
from lifelike_protocol.errors import ErrorCode, LifelikeError

CHECKPOINT_SECONDS = 60.0
REPORT_SECONDS = 15.0


class Stateful(Protocol):
    """What a checkpoint can hold: networks, optimisers."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict, /) -> object: ...


def train_for(
    minutes: float,
    step: Callable[[float], dict[str, float]],
    state: Mapping[str, Stateful],
    checkpoint: Path,
    seed: int,
    console: Console | None = None,
) -> int:
    """Call ``step`` with the finished fraction 0…1 until the minutes are spent; returns the number of steps.

    Minutes are processor time of one thread over all resumptions, so that a busy machine trains longer and not worse.
    The checkpoint is removed by the caller once the network is saved.

    Args:
        step: one update; returns losses by name, shown as running means.
        state: everything a resumed run needs, by name.
        checkpoint: file to continue from when it exists, and to write each minute.
        seed: of every random draw, for a run that is not resumed.

    Raises:
        LifelikeError: INVALID_FILE when the checkpoint belongs to another run; INTERNAL when a loss is not finite.
    """
    console = console or Console()
    torch.manual_seed(seed)
    spent, steps = _resume(state, checkpoint, console) if checkpoint.exists() else (0.0, 0)
    total = minutes * 60
    reported = saved = time.monotonic()
    last = working_seconds()
    means: dict[str, float] = {}
    while spent < total:
        losses = step(spent / total)
        for name, value in losses.items():
            if not value == value:
                raise LifelikeError(ErrorCode.INTERNAL, f"Training diverged: {name} is not a number at step {steps}.")
            means[name] = value if name not in means else 0.98 * means[name] + 0.02 * value
        steps += 1
        worked, now = working_seconds(), time.monotonic()
        spent, last = spent + worked - last, worked
        if now - reported > REPORT_SECONDS or spent >= total:
            shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
            console.print(f"{spent / 60:6.1f} of {minutes:.0f} min  step {steps}  {shown}", highlight=False)
            reported = now
        if now - saved > CHECKPOINT_SECONDS:
            _save(state, checkpoint, spent, steps)
            saved = now
    return steps


def working_seconds() -> float:
    """Processor time of this process, shared out over torch's threads."""
    return time.process_time() / torch.get_num_threads()


def warm_cosine(fraction: float, peak: float, warm: float = 0.05, floor: float = 0.01) -> float:
    """Learning rate: linear to the peak, then half a cosine down to floor · peak."""
    if fraction < warm:
        return peak * (0.05 + 0.95 * fraction / warm)
    share = (fraction - warm) / (1 - warm)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(share, 1.0))))


def _save(state: Mapping[str, Stateful], checkpoint: Path, spent: float, steps: int) -> None:
    contents = {name: part.state_dict() for name, part in state.items()}
    random = torch.get_rng_state()
    save_checkpoint(checkpoint, {"state": contents, "spent": spent, "steps": steps, "random": random})


def _resume(state: Mapping[str, Stateful], checkpoint: Path, console: Console) -> tuple[float, int]:
    try:
        stored = torch.load(checkpoint, weights_only=True)
        for name, part in state.items():
            part.load_state_dict(stored["state"][name])
    except (RuntimeError, KeyError, ValueError, OSError) as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The checkpoint {checkpoint} does not fit this training run ({type(error).__name__}).",
            "Delete it to start anew, or give --out another name.",
        ) from error
    torch.set_rng_state(stored["random"])
    console.print(
        f"continuing from {checkpoint}: step {stored['steps']}, {stored['spent'] / 60:.1f} min", highlight=False
    )
    return stored["spent"], stored["steps"]
