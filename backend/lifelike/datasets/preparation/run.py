# SPDX-License-Identifier: GPL-3.0-or-later
"""Prepares a data set: examines what is new, keeps the folder valid all the while, draws the sheet at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import frozen

from lifelike.datasets.card import CARD, DataSetCard, card_text
from lifelike.datasets.preparation.examination import PICTURES, Examination, Work
from lifelike.datasets.preparation.journal import Journal
from lifelike.datasets.preparation.outcome import Outcome, outcome_of, rejection_line
from lifelike.datasets.preparation.sheet import SHEET, draw_sheet
from lifelike.datasets.preparation.sources import Source, find_sources
from lifelike.datasets.preparation.thresholds import Reason, Thresholds
from lifelike.datasets.preparation.workers import Task, examine_all
from lifelike.datasets.writing import replace_text, write_records, writing_to
from lifelike.hashing import file_sha256

REJECTED = "rejected.jsonl"
SAVED_EVERY = 15.0
"""Seconds between two times that the index is brought up to date while pictures are examined."""
SAVING_SHARE = 0.05
"""Of the time, at most, that bringing it up to date may take."""
OWN_PICTURE = re.compile(r"[0-9a-f]{16}_[0-9]+\.png|\..*\.partial")

Report = Callable[[int, int], None]
"""Takes the pictures done and the pictures in all."""


@frozen
class Plan:
    """What is to be prepared.

    places: folders of pictures, or pictures. output: the data set's folder. card: of the data set, not yet counted.
    limit: of the pictures looked at, in the order of their names; None: all.
    bundle: a name or path, whose locator finds faces. processes: that work side by side.
    """

    places: tuple[Path, ...]
    output: Path
    card: DataSetCard
    limits: Thresholds
    limit: int | None = None
    bundle: str = "builtin"
    processes: int = 1


def prepare(plan: Plan, report: Report) -> Outcome:
    """Makes the data set, or continues it.

    Whenever this ends, however it ends, the folder holds a valid data set of what was examined until shortly before.

    Raises:
        LifelikeError: INVALID_FILE and INVALID_SETTING as `find_sources` and `writing_to`; as `examine_all`.
    """
    sources = find_sources(plan.places, plan.output)[: plan.limit]
    with writing_to(plan.output, plan.card):
        journal = Journal(plan.output)
        saver = _Saver(plan, journal)
        saver.save()  # so that there is a data set, if an empty one, from the beginning
        try:
            _examine_new(plan, sources, journal, saver, report)
            outcome = saver.save()
            while lost := _lost(plan.output, outcome):
                journal.forget(lost)
                _examine_new(plan, sources, journal, saver, report)
                outcome = saver.save()
        except BaseException:
            saver.save()
            raise
        _remove_unused(plan.output, outcome)
        draw_sheet(plan.output / SHEET, plan.output, outcome, {source.name: source.path for source in sources})
    return outcome


def _examine_new(plan: Plan, sources: Sequence[Source], journal: Journal, saver: _Saver, report: Report) -> None:
    done = 0

    def step() -> None:
        nonlocal done
        done += 1
        report(done, len(sources))
        saver.save_now_and_then()

    def new() -> Iterator[Task]:
        for source in sources:
            try:
                sha256 = file_sha256(source.path)
            except OSError:
                sha256 = ""
                journal.add(Examination(source.name, "", reason=Reason.UNREADABLE, detail="cannot be opened"))
            if not sha256 or journal.knows(source.name, sha256):
                step()
            else:
                yield Task(source, sha256)

    report(0, len(sources))
    work = Work(plan.output, plan.card.resolution, plan.limits, plan.bundle)
    for examination in examine_all(new(), work, plan.processes):
        journal.add(examination)
        step()


class _Saver:
    """Brings the data set's index up to date with the journal."""

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self.plan, self.journal = plan, journal
        self.next_time = time.monotonic() + SAVED_EVERY

    def save_now_and_then(self) -> None:
        began = time.monotonic()
        if began >= self.next_time:
            self.save()
            took = time.monotonic() - began
            self.next_time = began + max(SAVED_EVERY, took / SAVING_SHARE)

    def save(self) -> Outcome:
        """Writes the index, the rejections and the card; gives what is in them."""
        folder, resolution = self.plan.output, self.plan.card.resolution
        outcome = outcome_of(self.journal.entries.values(), self.plan.limits, resolution)
        write_records(folder, outcome.records)
        replace_text(folder / REJECTED, "".join(rejection_line(one) + "\n" for one in outcome.rejections))
        card = self.plan.card.counted(outcome.records, examined=outcome.pictures, rejected=len(outcome.rejections))
        replace_text(folder / CARD, card_text(card))
        return outcome


def _lost(folder: Path, outcome: Outcome) -> set[str]:
    """The sources, by content, of portraits that belong to the data set but are not in its folder any more."""
    return {record.source_sha256 for record in outcome.records if not (folder / record.file).is_file()}


def _remove_unused(folder: Path, outcome: Outcome) -> None:
    """Takes away portraits that a better near-duplicate replaced, and what a killed run left half written."""
    used = {record.file for record in outcome.records}
    pictures = folder / PICTURES
    for path in pictures.iterdir() if pictures.is_dir() else ():
        if OWN_PICTURE.fullmatch(path.name) and f"{PICTURES}/{path.name}" not in used:
            path.unlink(missing_ok=True)
