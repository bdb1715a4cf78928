# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run measures of itself: means over a stretch of steps, one JSON line and one TensorBoard point each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from lifelike.whole_files import write_whole


class Means:
    """Means of named values since the last line; its state goes into checkpoints, so that no line is lost or twice."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, values: Mapping[str, float]) -> None:
        """Count one step's values in."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
            self._counts[name] = self._counts.get(name, 0) + 1

    def take(self) -> dict[str, float]:
        """The means, by name in order; starts anew."""
        means = {name: self._sums[name] / self._counts[name] for name in sorted(self._sums)}
        self._sums, self._counts = {}, {}
        return means

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


class ScalarLog:
    """``scalars.jsonl`` and ``tensorboard/`` of a run folder.

    Args:
        folder: of the run.
        step: updates done so far; lines of later ones, written before the run was interrupted, are dropped.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.file = folder / "scalars.jsonl"
        drop_later_lines(self.file, step)
        self._lines = self.file.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def write(self, step: int, pictures: int, values: Mapping[str, float]) -> None:
        """One line, on the disk when this returns."""
        self._lines.write(json.dumps({"step": step, "pictures": pictures, **values}) + "\n")
        self._lines.flush()
        os.fsync(self._lines.fileno())
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish both; on a full disk what is still on its way is lost, and comes again when the run continues."""
        for file in (self._lines, self._board):
            with suppress(OSError):
                file.close()


def drop_later_lines(file: Path, step: int) -> None:
    """Keep only the whole lines up to update number `step`."""
    if not file.exists():
        return
    kept = [line for line in file.read_bytes().splitlines(keepends=True) if _is_kept(line, step)]
    write_whole(file, b"".join(kept))


def _is_kept(line: bytes, step: int) -> bool:
    try:
        return line.endswith(b"\n") and json.loads(line)["step"] <= step
    except (ValueError, KeyError, TypeError):  # cut off when the run was killed
        return False
