# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a picture shows, as a number; and which people are kept for testing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from lifelike_protocol.errors import ErrorCode, LifelikeError

RESERVED_IDENTITIES = range(0, 80)
"""Identities kept for testing. 00000–00039 are held out by the paired heads' makers, 00040–00079 by this project: no
network of a bundle, nor the evaluation's own look classifier, ever sees them in training, so that numbers measured on
them are about people the networks have not met."""

FIRST_OF_NAMES = 2**32
"""Names are numbered from here; numbers below keep their own."""
LARGEST = 2**32 - 1


def identity_number(identity: str) -> int:
    """A person's number: digits are the number they say, any other name gets one of its own from 2³² up.

    The same name has the same number everywhere and always: it comes from the name's SHA-256.
    """
    if re.fullmatch(r"[0-9]{1,10}", identity) and int(identity) <= LARGEST:
        return int(identity)
    return FIRST_OF_NAMES + int.from_bytes(hashlib.sha256(identity.encode()).digest()[:6], "big")


def identity_range(text: str) -> tuple[range, ...]:
    """People as a person writes them in a setting: numbers, ranges with both ends, and names, between commas.

    Args:
        text: e.g. "0-79", "0-79, 600, anna", or "" for nobody. Names begin with a letter.

    Returns:
        Ranges of `identity_number`.

    Raises:
        LifelikeError: INVALID_SETTING, quoting the part that is wrong.
    """
    return tuple(_one(part.strip()) for part in text.split(",")) if text.strip() else ()


def _one(part: str) -> range:
    if part[:1].isalpha():
        number = identity_number(part)
        return range(number, number + 1)
    numbers = re.fullmatch(r"([0-9]{1,10})(?:\s*-\s*([0-9]{1,10}))?", part)
    if numbers:
        first = int(numbers[1])
        last = int(numbers[2]) if numbers[2] else first
        if first <= last <= LARGEST:
            return range(first, last + 1)
    raise LifelikeError(
        ErrorCode.INVALID_SETTING,
        f"“{part}” is no identity and no range of identities.",
        "Write numbers, ranges and names between commas, such as 0-79, 600, anna.",
    )


def within(identity: NDArray[np.int64], ranges: Iterable[range]) -> NDArray[np.bool_]:
    """Which numbers (N,) lie in any of the ranges: (N,) bool."""
    found = np.zeros(np.shape(identity), np.bool_)
    for one in ranges:
        found |= (identity >= one.start) & (identity < one.stop)
    return found
