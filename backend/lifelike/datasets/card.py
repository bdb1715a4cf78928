# SPDX-License-Identifier: GPL-3.0-or-later
"""The card of a data set, ``card.json``: what it is, how it was made, how much is in it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cattrs
from attrs import asdict, evolve, field, frozen

from lifelike.datasets.record import Record
from lifelike_protocol.errors import ErrorCode, LifelikeError

CARD = "card.json"
FORMAT = "lifelike-dataset-1"


@frozen
class DataSetCard:
    """Everything about a data set but its pictures.

    made_with: "dataset prepare" or "dataset render". command: as it was typed.
    resolution: side of the pictures in pixels.
    seed: what random choices were drawn from; 0 where none are.
    settings: all that decides what is made; a data set is only continued with the same.
    licence: of the pictures, as its maker says; "" where nobody said.
    counts: pictures, pictures of each look, identities, and whatever else its maker counts.
    """

    name: str
    made_with: str
    resolution: int
    command: str = ""
    seed: int = 0
    settings: dict[str, Any] = field(factory=dict)
    licence: str = ""
    description: str = ""
    versions: dict[str, str] = field(factory=dict)
    counts: dict[str, int] = field(factory=dict)
    format: str = FORMAT

    def continues(self, other: DataSetCard) -> list[str]:
        """Names of what keeps `other` from being the same data set, unfinished; empty where nothing does."""
        differing = [
            name for name in ("made_with", "resolution", "seed") if getattr(self, name) != getattr(other, name)
        ]
        keys = sorted(set(self.settings) | set(other.settings))
        return differing + [key for key in keys if self.settings.get(key) != other.settings.get(key)]

    def counted(self, records: Sequence[Record], **more: int) -> DataSetCard:
        """The card with its counts brought up to date."""
        looks = Counter(record.look for record in records if record.look)
        identities = len({record.identity for record in records if record.identity})
        counts = {"pictures": len(records), **dict(sorted(looks.items())), "identities": identities, **more}
        return evolve(self, counts=counts)


def card_text(card: DataSetCard) -> str:
    """As JSON that a person can read."""
    return json.dumps(asdict(card), indent=1, ensure_ascii=False) + "\n"


def read_card(folder: Path) -> DataSetCard:
    """The card in a folder.

    Raises:
        LifelikeError: INVALID_FILE where there is none of this format.
    """
    try:
        values = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return cattrs.structure(values, DataSetCard)
    except (OSError, ValueError, TypeError, RecursionError, cattrs.BaseValidationError) as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{folder / CARD} is not the card of a Lifelike data set.",
            "Make the data set again, in an empty folder.",
        ) from error
