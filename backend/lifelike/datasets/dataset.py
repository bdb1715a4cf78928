# SPDX-License-Identifier: GPL-3.0-or-later
"""A data set, whatever its format: its records, and its pictures at a resolution."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

from lifelike.datasets.card import CARD
from lifelike.datasets.indexes import read_index
from lifelike.datasets.pictures import Pictures, decoded_pictures
from lifelike.datasets.record import Problem, Record
from lifelike.datasets.storage import Storage, storage_of
from lifelike_protocol.errors import ErrorCode, LifelikeError

log = logging.getLogger(__name__)

TOLD = 20
"""Problems that are told at once; the others go to the log's details."""


class DataSet:
    """Records and the files they name.

    path: the folder or zip.
    records: what can be used, in the index's order.
    problems: what could not be used, named; grows when pictures are decoded.
    card: what ``card.json`` says (name, licence, resolution, …); empty where there is none.
    """

    def __init__(self, storage: Storage, records: list[Record], problems: list[Problem], card: dict[str, Any]) -> None:
        self.storage = storage
        self.records = records
        self.problems = problems
        self.card = card

    @property
    def path(self) -> Path:
        """The folder or zip."""
        return self.storage.place

    def __len__(self) -> int:
        return len(self.records)

    def of_look(self, look: str | None) -> list[Record]:
        """The records of a look ("render", "photo", "" for those without); all for None."""
        return [record for record in self.records if look is None or record.look == look]

    def pairs_of_looks(self) -> list[tuple[Record, Record]]:
        """The shots that are there in both looks: (render, photo), in the renders' order."""
        photos = {record.pair: record for record in self.records if record.pair and record.look == "photo"}
        renders = [record for record in self.records if record.look == "render" and record.pair in photos]
        return [(record, photos[record.pair]) for record in renders]

    def pictures(self, resolution: int, look: str | None = None, cache: Path | None = None) -> Pictures:
        """The pictures, decoded.

        Args:
            resolution: side in pixels. Larger pictures are resampled (Lanczos).
            look: only this look's; None: all.
            cache: folder for decoded pictures, read through a memory map; None decodes into memory.

        Returns:
            Those that could be decoded; the others are named in `problems`.

        Raises:
            LifelikeError: INVALID_FILE when a picture is smaller than asked or not square, or when none is left;
                OUT_OF_MEMORY where memory or disk will not hold them.
        """
        pictures = decoded_pictures(self.storage, self.of_look(look), resolution, cache)
        new = [problem for problem in pictures.problems if problem not in self.problems]
        _tell(self.path, new)
        self.problems += new
        return pictures


def open_dataset(path: Path) -> DataSet:
    """Read a data set's index: ours, the paired heads', stylegan2-ada-pytorch's folder or zip, or a plain folder.

    No picture is decoded yet; whether each is there is checked.

    Raises:
        LifelikeError: INVALID_FILE when there is nothing, an unreadable index, or no usable picture.
    """
    storage = storage_of(path)
    listed, problems = read_index(storage)
    records = []
    for record in listed:
        if storage.has(record.file):
            records.append(record)
        else:
            problems.append(Problem(record.file, "is missing"))
    if not records:
        first = f" The first of {len(problems)} problems: {problems[0]}" if problems else ""
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"There is no usable picture in {path}.{first}",
            "Name a folder or zip with pictures, or make one with `lifelike dataset prepare` or `dataset render`.",
        )
    _tell(path, problems)
    return DataSet(storage, records, problems, _card(storage))


def _tell(path: Path, problems: list[Problem]) -> None:
    """Names what is left out; the command line shows it."""
    for index, problem in enumerate(problems):
        log.log(logging.WARNING if index < TOLD else logging.DEBUG, "Left out of %s: %s", path, problem)
    if len(problems) > TOLD:
        log.warning("Left out of %s: %d more, which --debug names.", path, len(problems) - TOLD)


def _card(storage: Storage) -> dict[str, Any]:
    """The card, empty where it is missing or unreadable: nothing depends on it."""
    if not storage.has(CARD):
        return {}
    try:
        card = json.loads(storage.content(CARD))
    except (LifelikeError, ValueError):
        log.warning("%s: the card cannot be read", storage.place)
        return {}
    return card if isinstance(card, dict) else {}
