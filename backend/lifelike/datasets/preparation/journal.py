# SPDX-License-Identifier: GPL-3.0-or-later
"""What has been examined so far, ``examined.jsonl``: from it alone follow the data set and the rejections.

A line is added when a picture is done. A later line about the same picture replaces an earlier one.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection
from pathlib import Path

import cattrs
from attrs import evolve

from lifelike.datasets.preparation.examination import ENDED_PROCESS, NO_MEMORY, Examination, from_json, to_json
from lifelike.datasets.writing import append_line

log = logging.getLogger(__name__)

JOURNAL = "examined.jsonl"


class Journal:
    """The examinations of a data set's folder, by the picture's name."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / JOURNAL
        self.entries: dict[str, Examination] = {}
        self._contents: dict[str, Examination] = {}
        text = self.path.read_text(encoding="utf-8", errors="replace") if self.path.exists() else ""
        for line in text.split("\n"):
            if not line.strip():
                continue
            try:
                entry = from_json(json.loads(line))
            except (ValueError, TypeError, KeyError, RecursionError, cattrs.BaseValidationError):
                # The end of a killed run, or a person's hand: that picture is examined again.
                log.warning("%s: left out an unreadable line", self.path)
                continue
            if entry.detail not in (ENDED_PROCESS, NO_MEMORY):  # those get another chance
                self._take(entry)

    def add(self, entry: Examination) -> None:
        """Writes an examination down.

        Raises:
            LifelikeError: INVALID_FILE where it cannot be written.
        """
        append_line(self.path, json.dumps(to_json(entry), ensure_ascii=False, separators=(",", ":")))
        self._take(entry)

    def knows(self, source: str, sha256: str) -> bool:
        """Whether this picture was examined; one that was under another name only is written down anew."""
        entry = self.entries.get(source)
        if entry is not None and entry.sha256 == sha256:
            return True
        if sha256 in self._contents:
            self.add(evolve(self._contents[sha256], source=source))
            return True
        return False

    def forget(self, sha256s: Collection[str]) -> None:
        """Takes pictures out by their content, until they are examined again."""
        self.entries = {name: entry for name, entry in self.entries.items() if entry.sha256 not in sha256s}
        self._contents = {sha256: entry for sha256, entry in self._contents.items() if sha256 not in sha256s}

    def _take(self, entry: Examination) -> None:
        self.entries[entry.source] = entry
        self._contents[entry.sha256] = entry
