# SPDX-License-Identifier: GPL-3.0-or-later
"""Who belongs to which group, by the attributes a data set states. Nobody's group is guessed from a picture.

The attributes are those of MakeHuman (`gender` 0 female … 1 male, `age` 0…1, `ethnicity` as weights adding up to 1), or
plain words and years where a data set has those.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

DOMINANT = 0.7
"""Weight above which an ethnicity counts as such; otherwise "mixed" (the paired heads' own bound)."""

AGE_BANDS = ((30.0, "under 30"), (50.0, "30 to 49"), (float("inf"), "50 and over"))


def divisions(attributes: Sequence[dict[str, Any]]) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The groups of each division, e.g. ``["gender"]["women"]``: which of the P people belong to it.

    Args:
        attributes: one dictionary a person; what is missing leaves that person out of the division.

    Returns:
        Only divisions with at least two groups, since one group alone is everybody.
    """
    readers = {"gender": gender, "age": age_band, "ethnicity": ethnicity}
    found = {}
    for division, read in readers.items():
        labels = [read(known) for known in attributes]
        names = _ordered(division, {label for label in labels if label is not None})
        if len(names) > 1:
            found[division] = {name: np.array([label == name for label in labels]) for name in names}
    return found


def gender(attributes: dict[str, Any]) -> str | None:
    """ "women" or "men" by MakeHuman's slider, or the data set's own word."""
    stated = attributes.get("gender")
    if isinstance(stated, str) and stated:
        return {"female": "women", "f": "women", "woman": "women", "male": "men", "m": "men", "man": "men"}.get(
            stated.lower(), stated
        )
    if isinstance(stated, (int, float)):
        return "women" if stated < 0.5 else "men"
    return None


def age_band(attributes: dict[str, Any]) -> str | None:
    """A band of years."""
    stated = attributes.get("age")
    if not isinstance(stated, (int, float)) or stated < 0:
        return None
    years = makehuman_years(float(stated)) if stated <= 1 else float(stated)
    return next(name for bound, name in AGE_BANDS if years < bound)


def makehuman_years(slider: float) -> float:
    """MakeHuman's age slider in years: 0 is 1, 0.1875 is 10, 0.5 is 25, 1 is 90, straight lines between."""
    return float(np.interp(slider, [0.0, 0.1875, 0.5, 1.0], [1.0, 10.0, 25.0, 90.0]))


def ethnicity(attributes: dict[str, Any]) -> str | None:
    """The dominant one of the weights, or "mixed"; or the data set's own word."""
    stated = attributes.get("ethnicity")
    if isinstance(stated, str) and stated:
        return stated
    if isinstance(stated, dict) and stated:
        name = max(stated, key=lambda key: float(stated[key]))
        return str(name) if float(stated[name]) > DOMINANT else "mixed"
    return None


def _ordered(division: str, names: set[str]) -> list[str]:
    if division == "age":
        return [name for _, name in AGE_BANDS if name in names]
    return sorted(names, key=lambda name: (name == "mixed", name != "women", name))
