# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture of a data set and what is known about it; one line of ``dataset.jsonl``."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from attrs import cmp_using, field, frozen

from lifelike_protocol.messages import Array

LOOKS = ("render", "photo", "")
SAME_ARRAY = cmp_using(eq=lambda a, b: np.array_equal(a, b))


class Problem(NamedTuple):
    """What cannot be used: a picture's name (or a line of an index), and why, as the end of a sentence about it."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} {self.reason}."


@frozen
class Record:
    """What is known about one picture.

    file: its name in the data set, with forward slashes, relative to the data set's folder (or in its zip).
    look: "render", "photo", or "" where nobody said.
    pair: the same text for the looks of one shot, pixel-aligned; "" where a picture stands alone.
    identity: who it shows; the same text is the same person, in every data set. "" where nobody said.
    landmarks: (68, 2) float64, iBUG order, pixels of the stored picture, x right, y down, the first pixel's centre
        at (0.5, 0.5); None where there are none.
    attributes: JSON values by name: gender, age, ethnicity, yaw, label, …
    source: what it was made from: a file's name, or a scene's.
    source_sha256: of that file, 64 hexadecimal digits or "".
    transform: (3, 3) float64, pixels of the stored picture to pixels of the upright source; None where there is none.
    sha256: of the stored file, 64 hexadecimal digits or "".
    """

    file: str
    look: str = ""
    pair: str = ""
    identity: str = ""
    landmarks: Array | None = field(default=None, eq=SAME_ARRAY)
    attributes: dict[str, Any] = field(factory=dict)
    source: str = ""
    source_sha256: str = ""
    transform: Array | None = field(default=None, eq=SAME_ARRAY)
    sha256: str = ""


def to_line(record: Record) -> str:
    """The record as one line of JSON without its end; what is empty is left out."""
    row: dict[str, Any] = {"file": record.file}
    for name in ("look", "pair", "identity", "source", "source_sha256", "sha256"):
        if getattr(record, name):
            row[name] = getattr(record, name)
    for name in ("transform", "landmarks"):
        if getattr(record, name) is not None:
            row[name] = np.asarray(getattr(record, name), np.float64).tolist()
    if record.attributes:
        row["attributes"] = record.attributes
    return json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def from_line(line: str) -> Record:
    """The record in a line; unknown keys are left out.

    Raises:
        ValueError: with what is wrong, as the end of a sentence about the line.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if not isinstance(row, dict):
        raise ValueError("is not a JSON object")
    texts = {
        name: row.get(name, "") for name in ("file", "look", "pair", "identity", "source", "source_sha256", "sha256")
    }
    for name, text in texts.items():
        if not isinstance(text, str):
            raise ValueError(f"has a {name} that is not a text")
    check_name(texts["file"])
    if texts["look"] not in LOOKS:
        raise ValueError(f"has the unknown look “{texts['look']}”")
    attributes = row.get("attributes", {})
    if not isinstance(attributes, dict):
        raise ValueError("has attributes that are not a JSON object")
    return Record(
        **texts,
        landmarks=numbers(row.get("landmarks"), (68, 2), "landmarks"),
        transform=numbers(row.get("transform"), (3, 3), "transform"),
        attributes=attributes,
    )


def check_name(name: str) -> None:
    """Refuses names that lead out of a data set's folder.

    Raises:
        ValueError: as `from_line`.
    """
    path = PurePosixPath(name)
    if not name or "\0" in name:
        raise ValueError("names no picture")
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in path.parts[0]:
        raise ValueError(f"names a picture outside the data set ({name})")


def numbers(values: Any, shape: tuple[int, int], what: str) -> Array | None:
    """A JSON list of lists as float64, None for None.

    Raises:
        ValueError: as `from_line`.
    """
    if values is None:
        return None
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"has {what} that are not numbers") from error
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"has {what} that are not {shape[0]} × {shape[1]} finite numbers")
    return array
