# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle's card says of the terms of the files it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lifelike.bundles.public.catalogue import published_as
from lifelike.bundles.public.entry import Terms


def card_terms(terms: Iterable[Terms]) -> dict[str, Any]:
    """Several files' terms as fields of a card: `licence`, `non_commercial`, `citation`.

    Every licence and every work is named once; one file for non-commercial use makes the bundle so.
    """
    given = list(terms)
    licences = dict.fromkeys(one.licence for one in given)
    citations = dict.fromkeys(line for one in given for line in one.citations)
    return {
        "licence": "; ".join(licences) or "unstated",
        "non_commercial": any(one.non_commercial for one in given),
        "citation": "\n".join(citations),
    }


def known_terms(hashes: Iterable[str]) -> list[Terms]:
    """Terms of those files, by SHA-256, that are known; the others are left out."""
    entries = (published_as(sha256) for sha256 in hashes)
    return [entry.terms for entry in entries if entry is not None]
