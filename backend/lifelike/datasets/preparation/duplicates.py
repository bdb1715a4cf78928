# SPDX-License-Identifier: GPL-3.0-or-later
"""Near-duplicates among portraits, by perceptual hashes; the larger, then the sharper one stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BITS_SET = np.array([bin(byte).count("1") for byte in range(256)], np.uint8)


class Portrait(NamedTuple):
    """What decides between two portraits.

    name: unique, for an order that does not depend on which was found first.
    side: pixels of its square in its picture. blur: 0 sharp … 1 blurred. hash: hexadecimal.
    """

    name: str
    side: float
    blur: float
    hash: str


class Duplicate(NamedTuple):
    """A portrait left out, the one that stays in its place, and in how many bits they differ."""

    name: str
    kept: str
    distance: int


def find_duplicates(portraits: Sequence[Portrait], resolution: int, least_distance: int) -> dict[str, Duplicate]:
    """Portraits that are too like a better one, by name.

    The result depends on the portraits alone, not on their order. Time grows with the square of their number, at
    about ten million comparisons a second.

    Args:
        resolution: of the portraits; squares of more than twice that are as good as each other, since shrinking them
            leaves neither noise nor traces of compression.
        least_distance: bits in which two that both stay differ at least.
    """
    better_first = sorted(portraits, key=lambda p: (-min(p.side, 2 * resolution), p.blur, p.name))
    duplicates: dict[str, Duplicate] = {}
    kept: list[str] = []
    hashes: NDArray[np.uint8] = np.empty((len(portraits), 32), np.uint8)
    for portrait in better_first:
        own = np.frombuffer(bytes.fromhex(portrait.hash), np.uint8)
        distances = BITS_SET[hashes[: len(kept)] ^ own].sum(axis=1, dtype=np.int64)
        if kept and distances.min() < least_distance:
            nearest = int(distances.argmin())
            duplicates[portrait.name] = Duplicate(portrait.name, kept[nearest], int(distances[nearest]))
        else:
            hashes[len(kept)] = own
            kept.append(portrait.name)
    return duplicates
