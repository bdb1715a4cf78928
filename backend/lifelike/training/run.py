# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a task of training: seeds, files, progress, and every way in which a run can be interrupted.

A run is the same on a CPU, one GPU, several, or several machines (Lightning Fabric). Each process draws its own
pictures, seeded by its rank; only the first one writes. Killed at any moment, a run continues from its newest
checkpoint to the same numbers, bit for bit on a CPU.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from rich.console import Console
from torch import Tensor

from lifelike.training.descent import Diverged
from lifelike.training.processes import on_first, start_fabric
from lifelike.training.progress import TrainingProgress
from lifelike.training.run_folder import RunFolder
from lifelike.training.scalars import Means, ScalarLog
from lifelike.training.settings import to_table
from lifelike.training.stopping import StopWish
from lifelike.training.task import Moment, RunSettings, Task
from lifelike_protocol.errors import ErrorCode, LifelikeError

Result = TypeVar("Result")


def run_task(
    task_class: type[Task],
    settings: Any,
    folder: Path,
    console: Console | None = None,
    stop_after: float | None = None,
) -> str:
    """Train until the run's length is reached, continuing where the folder's newest checkpoint stands.

    Args:
        task_class: the kind of training.
        settings: of that kind, with a field ``run``.
        folder: of the run; made where there is none.
        console: where progress is shown.
        stop_after: minutes of this start, after which a checkpoint is written and the run left to be continued.

    Returns:
        "" when the run is finished, else why it was stopped before: a signal's name or `stopping.MINUTES_OVER`.

    Raises:
        LifelikeError: INVALID_SETTING or INVALID_FILE for what is wrong before any work starts; INVALID_FILE when the
            folder cannot be written any more, INTERNAL when a number is not finite: the last good checkpoint is kept.
    """
    fabric = start_fabric(settings.run)
    held = on_first(fabric, lambda: RunFolder(folder, task_class.kind, settings))
    try:
        seed_step(settings.run.seed, -1, 0)  # the same initial weights in every process
        task = task_class(settings, fabric)
        run = _Run(task, settings, fabric, held, console or Console())
        with StopWish(stop_after) as wish:
            return run.train(wish)
    except LifelikeError:
        if fabric.global_rank:
            raise SystemExit(1) from None  # the first process says it
        raise
    finally:
        if held is not None:
            held.close()


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch's random numbers for one update in one process."""
    digest = hashlib.sha256(f"{seed} {step} {rank}".encode()).digest()
    torch.manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class _Run:
    """One start of a run."""

    def __init__(self, task: Task, settings: Any, fabric: Fabric, held: RunFolder | None, console: Console) -> None:
        self.task, self.settings, self.fabric, self.held = task, settings, fabric, held
        self.run: RunSettings = settings.run
        self.console = console if fabric.global_rank == 0 else None
        self.step = self.pictures = 0
        self.seconds = 0.0  # of all starts
        self.means = Means()
        self.saved_at = -1  # pictures at the newest checkpoint
        self.log: ScalarLog | None = None

    def train(self, wish: StopWish) -> str:
        self._resume()
        self._writing(lambda folder: folder.describe(self.settings))
        if self.saved_at >= self.run.pictures:
            self._tell(f"The run is finished: {self.pictures} pictures.")
            return ""
        self.log = self._writing(lambda folder: ScalarLog(folder.folder, self.step))
        try:
            with TrainingProgress(self.console, self.task.kind, self.run.pictures, self.pictures) as progress:
                return self._loop(wish, progress)
        finally:
            if self.log is not None:
                self.log.close()

    def _loop(self, wish: StopWish, progress: TrainingProgress) -> str:
        if self.step == 0:
            self._save_sheet()
        began = time.monotonic()
        lined = (began, self.pictures)
        reason, finished = "", False
        while not (finished or reason):
            values = self._advance()
            reason = self._agree(wish.reason(), values)
            finished = self.pictures >= self.run.pictures
            now = time.monotonic()
            self.seconds, began = self.seconds + now - began, now
            self.means.add(values)
            progress.advance(self.pictures, values)
            if finished or self._passed(self.run.scalars_every):
                self._write_scalars((self.pictures - lined[1]) / max(now - lined[0], 1e-9))
                lined = (now, self.pictures)
            if finished or self._passed(self.run.sheet_every):
                self._save_sheet()
            if finished or reason or self._passed(self.run.save_every):
                self._save()  # last: where the final checkpoint is, everything is
        if finished:
            return ""
        done = f"{self.pictures} of {self.run.pictures} pictures"
        progress.say(f"Stopped ({reason}) at {done}; the same command continues it.")
        return reason

    def _advance(self) -> dict[str, float]:
        """One update; its scalars."""
        seed_step(self.run.seed, self.step, self.fabric.global_rank)
        moment = Moment(self.step, self.pictures, self.pictures / self.run.pictures)
        try:
            values = plain_numbers(self.task.step(moment))
        except Diverged as error:
            raise self._diverged(str(error)) from error
        except RuntimeError as error:
            if not type(error).__module__.startswith(("torch._inductor", "torch._dynamo")):
                raise
            raise _compiler_failure(error) from error
        self.step += 1
        self.pictures += self.run.batch
        return values

    def _agree(self, reason: str, values: Mapping[str, float]) -> str:
        """The reason to stop of any process; every process looks whether any has a number that is not finite."""
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if self.fabric.world_size > 1:
            flags: Any = torch.tensor([float(bool(reason)), float(bool(wrong))], device=self.fabric.device)
            flags = self.fabric.all_reduce(flags, reduce_op="sum")
            reason = reason or ("another process was stopped" if flags[0] > 0 else "")
            wrong = wrong or (["a value of another process"] if flags[1] > 0 else [])
        if wrong:
            raise self._diverged(f"{wrong[0]} is not finite")
        return reason

    def _diverged(self, what: str) -> LifelikeError:
        kept = f"The checkpoint at {self.saved_at} pictures is kept" if self.saved_at >= 0 else "There is no checkpoint"
        return LifelikeError(
            ErrorCode.INTERNAL,
            f"The training diverged at step {self.step}, after {self.pictures} pictures: {what}.",
            f"{kept}; continue with a lower learning rate or precision 32-true in a new folder.",
        )

    def _passed(self, every: int) -> bool:
        """Whether the last update went past a multiple of `every` pictures."""
        return self.pictures // every > (self.pictures - self.run.batch) // every

    # -- files ------------------------------------------------------------------------------------------

    def _writing(self, action: Callable[[RunFolder], Result]) -> Result | None:
        """Write something in the first process; a full disk is told in one sentence."""
        held = self.held

        def write() -> Result | None:
            return None if held is None else action(held)

        try:
            return on_first(self.fabric, write)
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]
            kept = f"from {self.saved_at} pictures" if self.saved_at >= 0 else "from its start"
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                f"The run's folder could not be written at {self.pictures} pictures: {reason}.",
                f"Free some space and start the run again; it continues {kept}, nothing else was lost.",
            ) from error

    def _write_scalars(self, speed: float) -> None:
        means = self.means.take()
        if self.fabric.world_size > 1 and means:
            mean: Any = torch.tensor(list(means.values()), device=self.fabric.device)
            mean = self.fabric.all_reduce(mean, reduce_op="mean")
            means = dict(zip(means, mean.tolist(), strict=True))
        values = {**means, "images_per_second": round(speed, 3), "seconds": round(self.seconds, 1)}
        log = self.log
        self._writing(lambda folder: log.write(self.step, self.pictures, values) if log is not None else None)

    def _save_sheet(self) -> None:
        def write(folder: RunFolder) -> None:
            sheet = self.task.sheet()
            if sheet is not None:
                folder.save_sheet(self.pictures, sheet)

        self._writing(write)

    def _save(self) -> None:
        """The networks as they would be given away now, and a checkpoint."""

        def write(folder: RunFolder) -> None:
            self.task.export(folder.folder, self._card())
            folder.save_checkpoint(self.pictures, self._state(), self.run.keep)

        self._writing(write)
        self.saved_at = self.pictures

    def _card(self) -> dict[str, Any]:
        return {
            "training": self.task.kind,
            "pictures": self.pictures,
            "steps": self.step,
            "seconds": round(self.seconds, 1),
            "settings": to_table(self.settings),
        }

    def _state(self) -> dict[str, Any]:
        return {
            "kind": self.task.kind,
            "step": self.step,
            "pictures": self.pictures,
            "seconds": self.seconds,
            "means": self.means.state(),
            "precision": self.fabric.strategy.precision.state_dict(),
            "task": self.task.state(),
        }

    def _resume(self) -> None:
        state = self._newest_checkpoint()
        if state is None:
            return
        try:
            self.task.restore(state["task"])
            self.fabric.strategy.precision.load_state_dict(state["precision"])
            self.means.restore(state["means"])
            self.step, self.pictures, self.seconds = state["step"], state["pictures"], state["seconds"]
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            mismatch = str(error).strip().splitlines()[-1].strip().rstrip(".") or type(error).__name__
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                f"The newest checkpoint does not fit these settings: {mismatch}.",
                "Choose another folder with --run, or go back to the settings it was made with.",
            ) from error
        self.saved_at = self.pictures
        self._tell(f"Continuing at step {self.step}, {self.pictures} of {self.run.pictures} pictures.")

    def _newest_checkpoint(self) -> dict[str, Any] | None:
        """The newest checkpoint's contents, in every process."""
        state = on_first(self.fabric, lambda: self.held.newest_checkpoint() if self.held is not None else None)
        return self.fabric.broadcast(state) if self.fabric.world_size > 1 else state

    def _tell(self, line: str) -> None:
        if self.console is not None:
            self.console.print(line, highlight=False, markup=False, soft_wrap=True)


def _compiler_failure(error: RuntimeError) -> LifelikeError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    what = f"torch could not compile the networks: {reason}."
    return LifelikeError(ErrorCode.INVALID_SETTING, what, "Set run.compile=false, or install a C++ compiler.")


def plain_numbers(values: Mapping[str, float | Tensor]) -> dict[str, float]:
    """Scalars as Python numbers, all tensors brought over from the device at once."""
    tensors = {name: value for name, value in values.items() if isinstance(value, Tensor)}
    if not tensors:
        return {name: float(value) for name, value in values.items()}
    numbers = torch.stack([value.detach().float().reshape(()) for value in tensors.values()]).tolist()
    brought = dict(zip(tensors, numbers, strict=True))
    return {name: brought[name] if name in brought else float(value) for name, value in values.items()}
