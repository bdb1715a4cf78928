# SPDX-License-Identifier: GPL-3.0-or-later
"""The loose pictures that a person named, in an order that does not change."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lifelike.datasets.storage import PICTURE_SUFFIXES, FolderStorage
from lifelike_protocol.errors import ErrorCode, LifelikeError


class Source(NamedTuple):
    """A picture's file, and its name in the data set: the folder's own name and the path below it."""

    path: Path
    name: str


def find_sources(places: Sequence[Path], output: Path) -> list[Source]:
    """Every picture file in the folders named (and below), and every picture file named itself.

    Hidden files, links to folders, and the data set being written are left out.

    Raises:
        LifelikeError: INVALID_FILE where a place does not exist, or where there is no picture at all.
    """
    for place in places:
        if not place.exists():
            raise LifelikeError(
                ErrorCode.INVALID_FILE, f"There is no {place}.", "Name folders of pictures, or pictures."
            )
    written = output.resolve()
    found: dict[Path, Source] = {}
    for place, prefix in zip(places, _prefixes(places), strict=True):
        if place.is_file():
            found.setdefault(place.resolve(), Source(place, prefix))
            continue
        for name in FolderStorage(place).pictures():
            path = (place / name).resolve()
            if written not in path.parents:
                found.setdefault(path, Source(place / name, f"{prefix}/{name}"))
    if not found:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"There is no picture in {', '.join(map(str, places))}.",
            f"Pictures are files ending in {' '.join(sorted(PICTURE_SUFFIXES))}.",
        )
    return sorted(found.values(), key=lambda source: source.name)


def _prefixes(places: Sequence[Path]) -> list[str]:
    """Each place's name, with as much of the path before it as tells it from the others."""
    parts = [place.resolve().parts for place in places]
    prefixes = []
    for index, own in enumerate(parts):
        length = 1
        others = [other for at, other in enumerate(parts) if at != index and other != own]
        while length < len(own) and any(other[-length:] == own[-length:] for other in others):
            length += 1
        prefixes.append("/".join(own[-length:]).lstrip("/") or "root")
    return prefixes
