# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set's pictures at one resolution, decoded once and then read through a memory map."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from PIL import Image

from lifelike.datasets.record import Problem, Record
from lifelike.datasets.storage import Storage
from lifelike.whole_files import write_whole, written_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError

FORM = 1
"""Of the cache's files; another number makes older ones unused."""
BATCH = 64
"""Pictures decoded before they are written, so that memory stays small."""
DECODERS = min(8, os.cpu_count() or 1)
"""Threads; decoding and resampling leave Python's lock."""


@dataclass(frozen=True)
class Pictures:
    """N pictures of one size.

    pixels: (N, R, R, 3) uint8, sRGB display values; read only where it is a memory map.
    records: of each picture.
    scales: (N,) float64, pixels here for each pixel of the stored picture.
    problems: pictures that could not be decoded.
    """

    pixels: NDArray[np.uint8]
    records: list[Record]
    scales: NDArray[np.float64]
    problems: list[Problem] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def resolution(self) -> int:
        """Side in pixels."""
        return int(self.pixels.shape[1])

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(N, 68, 2), pixels of these pictures; not-a-number where a picture has none."""
        unknown = np.full((68, 2), np.nan)
        points = [unknown if record.landmarks is None else record.landmarks for record in self.records]
        return (np.stack(points) * self.scales[:, None, None]).astype(np.float32)


def decoded_pictures(storage: Storage, records: list[Record], resolution: int, cache: Path | None) -> Pictures:
    """The records' pictures at a resolution; see `DataSet.pictures`."""
    if not records:
        raise _nothing(storage, [])
    pictures = _in_memory(storage, records, resolution) if cache is None else _kept(storage, records, resolution, cache)
    if not pictures.records:
        raise _nothing(storage, pictures.problems)
    return pictures


def _nothing(storage: Storage, problems: list[Problem]) -> LifelikeError:
    reason = f" The first of {len(problems)} problems: {problems[0]}" if problems else ""
    return LifelikeError(
        ErrorCode.INVALID_FILE,
        f"There is no picture of the kind that is needed in {storage.place}.{reason}",
        "Check the data set, and which looks it has.",
    )


def _in_memory(storage: Storage, records: list[Record], resolution: int) -> Pictures:
    needed, free = _size(len(records), resolution), psutil.virtual_memory().available
    if needed > free:
        raise LifelikeError(
            ErrorCode.OUT_OF_MEMORY,
            f"{len(records)} pictures of {resolution} pixels need {needed / 1e9:.1f} GB; {free / 1e9:.1f} GB are free.",
            "Give a folder for decoded pictures (cache), or ask for a smaller resolution.",
        )
    pixels = np.empty((len(records), resolution, resolution, 3), np.uint8)
    kept: list[Record] = []
    scales: list[float] = []
    problems: list[Problem] = []
    for decoded in _decoded(storage, records, resolution):
        if isinstance(decoded, Problem):
            problems.append(decoded)
        else:
            pixels[len(kept)] = decoded[1]
            kept.append(records[decoded[0]])
            scales.append(decoded[2])
    return Pictures(pixels[: len(kept)], kept, np.array(scales), problems)


def _kept(storage: Storage, records: list[Record], resolution: int, cache: Path) -> Pictures:
    """The pictures through the cache, decoded now if they are not there."""
    key = _key(storage, records, resolution)
    raw, notes = cache / f"{key}.pixels", cache / f"{key}.json"
    stored = _notes(raw, notes, resolution)
    if stored is None:
        _write_cache(storage, records, resolution, raw, notes)
        stored = _notes(raw, notes, resolution)
        if stored is None:
            raise LifelikeError(ErrorCode.INVALID_FILE, f"{raw} was changed while it was written.", "Try again.")
    kept = [records[index] for index in stored["kept"]]
    problems = [Problem(*problem) for problem in stored["problems"]]
    shape = (len(kept), resolution, resolution, 3)
    pixels = np.memmap(raw, np.uint8, "r", shape=shape) if kept else np.empty(shape, np.uint8)
    return Pictures(pixels, kept, np.array(stored["scales"], np.float64), problems)


def _key(storage: Storage, records: list[Record], resolution: int) -> str:
    """Changes whenever a picture's content, or which pictures there are, does."""
    digest = hashlib.sha256(f"{FORM} {resolution}\n".encode())
    for record in records:
        digest.update(f"{record.file}\0{storage.mark(record.file)}\0{record.sha256}\n".encode())
    return digest.hexdigest()[:24]


def _notes(raw: Path, notes: Path, resolution: int) -> dict[str, Any] | None:
    """What was written beside the pixels; None where the cache holds nothing whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        stored = json.loads(notes.read_text(encoding="utf-8"))
        if raw.stat().st_size == _size(len(stored["kept"]), resolution):
            return stored
    return None


def _write_cache(storage: Storage, records: list[Record], resolution: int, raw: Path, notes: Path) -> None:
    """Pixels first, the notes that make them valid last."""
    stored: dict[str, Any] = {"kept": [], "scales": [], "problems": []}
    try:
        raw.parent.mkdir(parents=True, exist_ok=True)
        _check_disk(raw.parent, _size(len(records), resolution))
        with written_whole(raw) as unfinished, unfinished.open("wb") as file:
            for decoded in _decoded(storage, records, resolution):
                if isinstance(decoded, Problem):
                    stored["problems"].append(decoded)
                    continue
                file.write(decoded[1].tobytes())
                stored["kept"].append(decoded[0])
                stored["scales"].append(decoded[2])
        write_whole(notes, json.dumps(stored).encode())
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"Decoded pictures cannot be kept in {raw.parent} ({error.strerror or error}).",
            "Choose another folder for the cache, or free some space.",
        ) from error


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise LifelikeError(
            ErrorCode.OUT_OF_MEMORY,
            f"The decoded pictures need {needed / 1e9:.1f} GB in {folder}; {free / 1e9:.1f} GB are free.",
            "Choose another folder for the cache, or ask for a smaller resolution.",
        )


def _size(pictures: int, resolution: int) -> int:
    """Bytes."""
    return pictures * resolution * resolution * 3


def _decoded(
    storage: Storage, records: list[Record], resolution: int
) -> Iterator[Problem | tuple[int, NDArray[np.uint8], float]]:
    """For each record in order: its index, its pixels and scale; or why there are none."""

    def decode(index: int) -> Problem | tuple[int, NDArray[np.uint8], float]:
        record = records[index]
        try:
            if record.sha256 and storage.sha256(record.file) != record.sha256:
                return Problem(record.file, "is not the picture that was recorded (its SHA-256 differs)")
            pixels = storage.pixels(record.file)
        except LifelikeError as error:
            return Problem(record.file, _reason(error, storage, record.file))
        return index, *at_resolution(pixels, resolution, storage.place / record.file)

    with ThreadPoolExecutor(DECODERS) as threads:
        for start in range(0, len(records), BATCH):
            yield from threads.map(decode, range(start, min(start + BATCH, len(records))))


def _reason(error: LifelikeError, storage: Storage, name: str) -> str:
    """The error's sentence without the file's name, which the problem has already."""
    return error.what.removeprefix(f"{storage.place / name} ").removesuffix(".")


def at_resolution(pixels: NDArray[np.uint8], resolution: int, file: Path) -> tuple[NDArray[np.uint8], float]:
    """A square picture (H, H, 3) at a resolution, and by how much its coordinates shrank.

    Raises:
        LifelikeError: INVALID_FILE when it is not square or smaller.
    """
    height, width = pixels.shape[:2]
    if height != width:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The picture {file} is not square ({width} × {height}).",
            "Make aligned portraits of such pictures with `lifelike dataset prepare`.",
        )
    if width < resolution:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The picture {file} has {width} pixels a side, fewer than the {resolution} that are needed.",
            "Leave it out, or choose a smaller resolution.",
        )
    if width == resolution:
        return pixels, 1.0
    resized = Image.fromarray(pixels).resize((resolution, resolution), Image.Resampling.LANCZOS)
    return np.asarray(resized, np.uint8), resolution / width
