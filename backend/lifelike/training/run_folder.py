# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a training run: its settings, versions, lock, checkpoints and sample sheets.

config.toml, versions.json, scalars.jsonl, tensorboard/, sheets/NNNNNNNN.png, checkpoints/NNNNNNNN.pt (NNNNNNNN:
training pictures seen) and the networks as safetensors. Everything is written under a temporary name and renamed.
"""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import filelock
import torch
from PIL import Image

from lifelike.training.checkpoint import load_checkpoint, save_checkpoint
from lifelike.training.settings import differences, read_table, settings_from_table, write_settings
from lifelike.whole_files import write_whole, written_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError

CONFIG = "config.toml"
FREE_TO_CHANGE = frozenset(
    f"run.{name}"
    for name in (
        *("pictures", "save_every", "sheet_every", "scalars_every", "keep"),
        *("accumulate", "precision", "accelerator", "devices", "nodes", "threads", "compile"),
    )
)
"""What a continued run may have otherwise: its length, what it writes, and the machine it runs on."""
PACKAGES = ("lifelike", "torch", "lightning-fabric", "numpy", "pillow")


class RunFolder:
    """One run's folder, held by one process at a time.

    Args:
        folder: made where it does not exist.
        kind: the kind of training.
        settings: of the run; compared with those the folder has.

    Raises:
        LifelikeError: INVALID_FILE where the folder cannot be written, belongs to a running process, or to another kind
            of training; INVALID_SETTING where its run began with other settings.
    """

    def __init__(self, folder: Path, kind: str, settings: Any) -> None:
        self.folder, self.kind = folder, kind
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = filelock.FileLock(folder / ".lock")
            self._lock.acquire(blocking=False)
        except filelock.Timeout as error:
            what = f"Another process is training in {folder}."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Wait for it, or choose another folder.") from error
        except OSError as error:
            what = f"The run folder {folder} cannot be written: {error.strerror}."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Choose another folder with --run.") from error
        try:
            if self.checkpoints():
                self._compare(read_run_kind(folder), settings)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let other processes have the folder."""
        self._lock.release()

    def describe(self, settings: Any) -> None:
        """Write the settings and the versions, once it is clear that the run can begin or continue."""
        write_settings(settings, self.folder / CONFIG)
        write_json(self.folder / "versions.json", {"kind": self.kind, **installed_versions()})

    def _compare(self, kind: str, settings: Any) -> None:
        if kind != self.kind:
            what = f"The folder {self.folder} holds a run of kind {kind!r}, not {self.kind!r}."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Choose another folder with --run.")
        before = settings_from_table(type(settings), read_table(self.folder / CONFIG))
        changed = {key: pair for key, pair in differences(before, settings).items() if key not in FREE_TO_CHANGE}
        if changed:
            told = ", ".join(f"{key} was {old!r} and is now {new!r}" for key, (old, new) in changed.items())
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The run in {self.folder} began with other settings: {told}.",
                "Go back to them, or choose another folder with --run.",
            )

    # -- checkpoints and sheets -----------------------------------------------------------------------

    def checkpoints(self) -> list[Path]:
        """The checkpoints, oldest first."""
        return sorted((self.folder / "checkpoints").glob("[0-9]*.pt"))

    def newest_checkpoint(self) -> dict[str, Any] | None:
        """The contents of the newest checkpoint, None where there is none; errors as `load_checkpoint`'s."""
        found = self.checkpoints()
        return load_checkpoint(found[-1]) if found else None

    def save_checkpoint(self, pictures: int, contents: dict[str, Any], keep: int) -> Path:
        """Write a checkpoint, then remove all but it and the `keep` before it."""
        file = self.folder / "checkpoints" / f"{pictures:08d}.pt"
        save_checkpoint(file, contents)
        for old in self.checkpoints()[: -keep - 1]:
            old.unlink(missing_ok=True)
        return file

    def save_sheet(self, pictures: int, sheet: Image.Image) -> Path:
        """Write a sample sheet."""
        file = self.folder / "sheets" / f"{pictures:08d}.png"
        with written_whole(file) as unfinished:
            sheet.save(unfinished, format="PNG")
        return file


def read_run_kind(folder: Path) -> str:
    """The kind of training whose run lies in `folder`.

    Raises:
        LifelikeError: INVALID_FILE where it holds none.
    """
    try:
        return str(json.loads((folder / "versions.json").read_text("utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"The folder {folder} holds no training run."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Give the folder of a run.") from error


def installed_versions() -> dict[str, str]:
    """Versions of what decides about numbers, and the processor."""
    found = {"python": platform.python_version(), "machine": f"{platform.system()} {platform.machine()}"}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
    return found


def write_json(file: Path, contents: Any) -> None:
    """Write JSON, whole or not at all."""
    write_whole(file, (json.dumps(contents, indent=1, sort_keys=True) + "\n").encode())
