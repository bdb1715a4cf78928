# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms that a new bundle takes over: those of the bundles its networks are of, and of those they were trained from."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import define, field

from lifelike.bundles.card import BundleCard
from lifelike.bundles.file import read_card
from lifelike.bundles.registry import find_bundle
from lifelike_protocol.errors import LifelikeError

ORIGINS = ("start", "photo", "render")
"""Settings of a run that name the networks it goes on with, or learns to invert."""
UNSTATED = "unstated"


@define
class Ancestors:
    """What is behind some networks.

    cards: of every bundle. notes: sentences for a person, where something could not be found any more.
    """

    cards: list[BundleCard] = field(factory=list)
    notes: list[str] = field(factory=list)
    _seen: set[str] = field(factory=set)

    def add(self, source: str) -> None:
        """Follow one name: a bundle, the folder of a run, or a network's file in one."""
        if not source or source in self._seen:
            return
        self._seen.add(source)
        run = _run_folder(source)
        if run is None:
            self._add_bundle(source)
            return
        from lifelike.training.settings import read_table

        settings = read_table(run / "config.toml")
        for origin in ORIGINS:
            if isinstance(settings.get(origin), str):
                self.add(settings[origin])

    def _add_bundle(self, source: str) -> None:
        path = Path(source).expanduser()
        try:
            self.cards.append(read_card(path if path.exists() else find_bundle(source)))
        except LifelikeError:
            if not path.exists():  # else a network's own file, of which nothing is known
                self.notes.append(f"{source}, which a network was trained from, is not there; its terms are unknown.")

    def terms(self, licence: str) -> dict[str, Any]:
        """The card's fields: `licence` (what the person says, and those that bind), `non_commercial`, `citation`,
        `sources`."""
        bound = [name for card in self.cards if card.non_commercial for name in card.licence.split("; ")]
        stated = [] if bound and licence == UNSTATED else [licence]
        lines = (line for card in self.cards for line in card.citation.splitlines())
        sources = {source.get("sha256"): source for card in self.cards for source in card.sources}
        return {
            "licence": "; ".join(dict.fromkeys([*stated, *bound])),
            "non_commercial": bool(bound),
            "citation": "\n".join(dict.fromkeys(lines)),
            "sources": tuple(sources.values()),
        }


def ancestors(sources: Iterable[str]) -> Ancestors:
    """What is behind the networks that these name, as `bundles make` takes them; "" names none."""
    found = Ancestors()
    for source in sources:
        found.add(source)
    return found


def _run_folder(source: str) -> Path | None:
    path = Path(source).expanduser()
    folder = path if path.is_dir() else path.parent
    return folder if path.exists() and (folder / "config.toml").is_file() else None
