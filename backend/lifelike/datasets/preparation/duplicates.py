# SPDX-License-Identifier: GPL-3.0-or-later
"""Near-duplicates among portraits, by perceptual hashes; the larger, then the sharper one stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BITS = 256
"""In a hash."""
BLOCK = 128
"""Portraits compared at a time with all that stay."""


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

    The result depends on the portraits alone, not on their order. Time grows with the square of their number: half a
    minute for FFHQ's 70 000.

    Args:
        resolution: of the portraits; squares of more than twice that are as good as each other, since shrinking them
            leaves neither noise nor traces of compression.
        least_distance: bits in which two that both stay differ at least.
    """
    better_first = sorted(portraits, key=lambda p: (-min(p.side, 2 * resolution), p.blur, p.name))
    signs = _signs(better_first)
    duplicates: dict[str, Duplicate] = {}
    kept: list[int] = []
    for start in range(0, len(better_first), BLOCK):
        block = range(start, min(start + BLOCK, len(better_first)))
        rivals = kept + list(block)
        distances = (BITS - signs[rivals] @ signs[block.start : block.stop].T) / 2
        stays = np.arange(len(rivals)) < len(kept)
        for column, index in enumerate(block):
            near = np.flatnonzero(stays & (distances[:, column] < least_distance))
            if len(near):
                nearest = near[distances[near, column].argmin()]
                name, better = better_first[index].name, better_first[rivals[nearest]].name
                duplicates[name] = Duplicate(name, better, int(distances[nearest, column]))
            else:
                stays[len(kept) + column] = True
        kept = [index for index, stay in zip(rivals, stays, strict=True) if stay]
    return duplicates


def _signs(portraits: Sequence[Portrait]) -> NDArray[np.float32]:
    """The hashes' bits as ±1, (N, 256): the product of two is 256 − 2 × the bits in which they differ, exactly."""
    hashes = np.frombuffer(bytes.fromhex("".join(portrait.hash for portrait in portraits)), np.uint8)
    signs: NDArray[np.float32] = 2 * np.unpackbits(hashes.reshape(-1, BITS // 8), axis=1).astype(np.float32) - 1
    return signs
