# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of a run: written whole or not at all, read without unpickling code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from lifelike.whole_files import written_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) to `path` in one step, so that a kill or a full disk loses nothing.

    Raises:
        OSError: the file cannot be written; what was there before still is.
    """
    with written_whole(path) as unfinished, unfinished.open("wb") as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # torch's archive writer has no other type for a failed write
            raise OSError(None, f"{error}") from error


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Read a checkpoint, or None where there is none yet.

    Raises:
        LifelikeError: INVALID_FILE for anything but tensors and plain values.
    """
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The checkpoint {path} cannot be read ({reason}).",
            "Delete it: the run continues from the one before, or starts afresh.",
        ) from error
    return state
