# SPDX-License-Identifier: GPL-3.0-or-later
"""What a data set says about its pictures, in each of the formats that are read.

- Ours: ``dataset.jsonl``, one line a picture (`lifelike.datasets.record`).
- The paired heads: ``index.jsonl``, one line a shot: ``render`` and ``photo`` (or ``image``), ``lm68``, ``identity``.
- stylegan2-ada-pytorch's (Karras et al. 2020): pictures in folders, and ``dataset.json`` with ``labels``, if at all.
- Any other folder of pictures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from lifelike.datasets.record import Problem, Record, check_name, from_line, numbers
from lifelike.datasets.storage import MAX_INDEX, Storage
from lifelike_protocol.errors import ErrorCode, LifelikeError

OWN = "dataset.jsonl"
HEADS = "index.jsonl"
ADA = "dataset.json"

SHOT_VALUES = ("pose", "yaw", "pitch", "roll", "camera", "light", "background_srgb")
"""What the heads' index says of a shot beside its attributes; kept among them."""

Index = tuple[list[Record], list[Problem]]


def read_index(storage: Storage) -> Index:
    """The records of a data set, by whichever index it has, and the lines that could not be used.

    Raises:
        LifelikeError: INVALID_FILE when an index as a whole is unreadable.
    """
    if storage.has(OWN):
        return read_own(storage)
    if storage.has(HEADS):
        return read_heads(storage)
    return read_pictures(storage)


def read_own(storage: Storage) -> Index:
    """``dataset.jsonl``. A last line without its end is what a killed writer left, and no line yet."""
    records, problems = [], []
    names: set[str] = set()
    text = _text(storage, OWN)
    for place, line in _lines(OWN, text[: text.rfind("\n") + 1]):
        try:
            record = from_line(line)
            if record.file in names:
                raise ValueError(f"names {record.file} a second time")
        except ValueError as reason:
            problems.append(Problem(place, str(reason)))
            continue
        names.add(record.file)
        records.append(record)
    return records, problems


def read_heads(storage: Storage) -> Index:
    """``index.jsonl`` of the paired heads: each look of a shot becomes a record."""
    records: list[Record] = []
    problems = []
    for number, (place, line) in enumerate(_lines(HEADS, _text(storage, HEADS))):
        try:
            records += _shot(json.loads(line), number)
        except (ValueError, RecursionError) as reason:
            problems.append(Problem(place, "is not JSON" if isinstance(reason, json.JSONDecodeError) else str(reason)))
    return records, problems


def _shot(row: Any, number: int) -> list[Record]:
    """The records of one line."""
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object")
    looks = {look: row[key] for look, key in (("render", "render"), ("photo", "photo"), ("", "image")) if key in row}
    if not looks:
        raise ValueError("names no picture")
    landmarks = numbers(row.get("lm68"), (68, 2), "landmarks")
    attributes = row.get("attributes", {})
    if not isinstance(attributes, dict):
        raise ValueError("has attributes that are not a JSON object")
    attributes = {**attributes, **{name: row[name] for name in SHOT_VALUES if name in row}}
    for file in looks.values():
        if not isinstance(file, str):
            raise ValueError("has a picture that is not a file's name")
        check_name(file)
    return [
        Record(
            file,
            look=look,
            pair=f"shot {number}" if len(looks) > 1 else "",
            identity=str(row.get("identity", "")),
            landmarks=landmarks,
            attributes=attributes,
        )
        for look, file in looks.items()
    ]


def read_pictures(storage: Storage) -> Index:
    """Every picture of a folder or zip, with stylegan2-ada-pytorch's labels where there are any."""
    labels: dict[str, Any] = {}
    if storage.has(ADA):
        labels = _ada_labels(storage)
    pictures = storage.pictures()
    problems = [Problem(name, f"has a label in {ADA} but is missing") for name in sorted(set(labels) - set(pictures))]
    records = [Record(name, attributes={"label": labels[name]} if name in labels else {}) for name in pictures]
    return records, problems


def _ada_labels(storage: Storage) -> dict[str, Any]:
    """File name → class number or list of numbers. ``labels`` is null or missing in a set without labels."""
    try:
        index = json.loads(_text(storage, ADA))
        labels = dict((index.get("labels") if isinstance(index, dict) else None) or [])
    except (ValueError, TypeError, RecursionError) as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{storage.place / ADA} is not an index as stylegan2-ada-pytorch writes it.",
            'It needs the form {"labels": [["name.png", 0], …]}, or delete it to use the pictures without labels.',
        ) from error
    return {str(name): label for name, label in labels.items()}


def _text(storage: Storage, name: str) -> str:
    try:
        return storage.content(name, MAX_INDEX).decode("utf-8")
    except UnicodeDecodeError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"{storage.place / name} is not a text file.", "Make the data set again."
        ) from error


def _lines(name: str, text: str) -> Iterator[tuple[str, str]]:
    """Every line that holds something, with how to call it. Only the line feed ends a line: JSON may hold others."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield f"{name} line {number}", line
