# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from the examinations: the records that are kept, and everything left out with its reason."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable

from attrs import asdict, frozen

from lifelike.datasets.preparation.duplicates import Portrait, find_duplicates
from lifelike.datasets.preparation.examination import Examination, Face, record_of
from lifelike.datasets.preparation.thresholds import Reason, Thresholds
from lifelike.datasets.record import Record


@frozen
class Rejection:
    """A picture, or one of its faces, that was left out.

    face: which one, from left to right; None for the whole picture.
    landmarks: (68, 2) as lists, source pixels; None without a face.
    """

    source: str
    reason: Reason
    detail: str
    face: int | None = None
    landmarks: list[list[float]] | None = None


@frozen
class Outcome:
    """The data set as it follows from what has been examined."""

    records: list[Record]
    rejections: list[Rejection]
    pictures: int

    def counts(self) -> Counter[Reason]:
        """Rejections of each reason."""
        return Counter(rejection.reason for rejection in self.rejections)


def outcome_of(examined: Iterable[Examination], limits: Thresholds, resolution: int) -> Outcome:
    """The outcome; it depends on what was examined, not on the order or on interruptions."""
    rejections: list[Rejection] = []
    candidates: list[tuple[Examination, int, Face]] = []
    first: dict[str, str] = {}
    entries = sorted(examined, key=lambda entry: entry.source)
    for entry in entries:
        if entry.reason is not None:
            rejections.append(Rejection(entry.source, entry.reason, entry.detail))
        elif entry.sha256 in first:
            rejections.append(Rejection(entry.source, Reason.DUPLICATE, f"the same file as {first[entry.sha256]}"))
        else:
            first[entry.sha256] = entry.source
            candidates += [(entry, index, face) for index, face in enumerate(entry.faces)]
    duplicates = find_duplicates(
        [
            Portrait(face.file, face.measures.side, face.measures.blur, face.hash)
            for _, _, face in candidates
            if face.file
        ],
        resolution,
        limits.least_distance,
    )
    sources = {face.file: entry.source for entry, _, face in candidates}
    records = []
    for entry, index, face in candidates:
        if face.reason is not None:
            rejections.append(Rejection(entry.source, face.reason, face.detail, index, face.landmarks))
        elif face.file in duplicates:
            like = duplicates[face.file]
            detail = f"{like.distance} of 256 bits from {sources[like.kept]}"
            rejections.append(Rejection(entry.source, Reason.DUPLICATE, detail, index, face.landmarks))
        else:
            records.append(record_of(face, entry, resolution))
    return Outcome(records, sorted(rejections, key=lambda r: (r.source, r.face or 0)), len(entries))


def rejection_line(rejection: Rejection) -> str:
    """One line of ``rejected.jsonl``."""
    row = {name: value for name, value in asdict(rejection).items() if value is not None}
    return json.dumps(row | {"reason": rejection.reason.value}, ensure_ascii=False, separators=(",", ":"))
