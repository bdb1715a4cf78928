# SPDX-License-Identifier: GPL-3.0-or-later
"""Generated pictures on disk: PNG files, or one array of what the network gave, and what they were made with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from lifelike.imaging.files import write_picture
from lifelike.whole_files import written_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding

RAW_FILE = "pictures.npy"
PROVENANCE_FILE = "provenance.json"


def check_folder(folder: Path, names: Iterable[str], force: bool) -> None:
    """Make the folder, and refuse what could not be written, before any work.

    Raises:
        LifelikeError: INVALID_FILE where a file is there and `force` is not set, or there can be no such folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "is a file" if folder.exists() else f"can't be made ({error.strerror})"
        what = f"The folder {folder} {reason}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Name another folder with -o.") from error
    there = [name for name in names if (folder / name).exists()]
    if there and not force:
        what = f"{folder / there[0]} exists already."
        if len(there) > 1:
            what = f"{folder / there[0]} and {len(there) - 1} more of these files exist already."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Name another folder with -o, or overwrite with --force.")


def write_pictures(
    folder: Path, names: Iterable[str], pictures: Iterable[Tensor], force: bool, description: str = ""
) -> Iterator[Path]:
    """Write each picture to a PNG file of its name and give its path back.

    Args:
        pictures: batches [N3RR], −1…1, clipped here.
        description: as `write_picture`'s.

    Raises:
        LifelikeError: INVALID_FILE.
    """
    each = (picture for batch in pictures for picture in batch)
    for name, picture in zip(names, each, strict=True):
        levels = ((picture.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).contiguous().numpy()
        write_picture(folder / name, levels, Encoding(), force, description=description)
        yield folder / name


def check_room(folder: Path, shape: tuple[int, ...]) -> None:
    """Refuse an array that the disk has no room for.

    Raises:
        LifelikeError: INVALID_FILE.
    """
    needed, free = 4 * int(np.prod(shape, dtype=np.int64)), shutil.disk_usage(folder).free
    if needed > free:
        what = f"The pictures take {needed / 1e9:.1f} GB, and {folder} has {free / 1e9:.1f} GB left."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Free some space, or generate fewer.")


def write_raw(file: Path, shape: tuple[int, ...], pictures: Iterable[Tensor]) -> Iterator[int]:
    """Write pictures as the network gave them, as one float32 array, and give their number back after each batch.

    Args:
        shape: (N, 3, R, R), of all together.
        pictures: batches [N3RR] float32.

    Raises:
        LifelikeError: INVALID_FILE when it cannot be written.
    """
    done = 0
    with _replacing(file) as unfinished, unfinished.open("wb") as opened:
        np.lib.format.write_array_header_1_0(opened, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for batch in pictures:
            opened.write(np.ascontiguousarray(batch.numpy(), "<f4").data)
            done += len(batch)
            yield done


def write_provenance(folder: Path, values: dict[str, Any]) -> None:
    """What the folder's pictures were made with, as JSON; errors as `write_raw`."""
    with _replacing(folder / PROVENANCE_FILE) as unfinished:
        unfinished.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", "utf-8")


@contextmanager
def _replacing(file: Path) -> Iterator[Path]:
    """`written_whole`, whose errors are LifelikeError INVALID_FILE."""
    try:
        with written_whole(file) as unfinished:
            yield unfinished
    except OSError as error:
        what = f"{file} could not be written ({error.strerror or error})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Free some space, or choose another folder.") from error
