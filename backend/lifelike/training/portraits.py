# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits of several data sets as one, with who they show, their landmarks, and which shots they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.identities import identity_number, identity_range, within
from lifelike.datasets.pictures import Pictures
from lifelike_protocol.errors import ErrorCode, LifelikeError

UNKNOWN = -1
"""In place of a person's number where nobody said who it is."""


@frozen
class PortraitData:
    """What a training reads, the table ``[data]`` of a configuration.

    folders: data sets, in any format of `lifelike.datasets`.
    reserved: people never trained on, on whom the finished network is checked; see `identity_range`.
    cache: folder for decoded pictures; "" decodes them at each start.
    """

    folders: tuple[str, ...] = ()
    reserved: str = "0-79"  # held out by the paired heads' makers and by this project
    cache: str = ""


@dataclass(frozen=True)
class Portraits:
    """N portraits.

    pictures: (N, R, R, 3) uint8, sRGB display values; may be read only.
    landmarks: (N, 68, 2) float32, pixels; not a number where there are none.
    person: (N,) int64, see `lifelike.datasets.identities`; `UNKNOWN` where nobody said.
    shot: (N,) int64; pictures of one shot are pixel-aligned and differ in look only.
    look: (N,) "render", "photo" or "".
    """

    pictures: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    person: NDArray[np.int64]
    shot: NDArray[np.int64]
    look: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.person)

    @property
    def labelled(self) -> NDArray[np.bool_]:
        """(N,) where there are landmarks."""
        return np.asarray(np.isfinite(self.landmarks).all((1, 2)))

    def held_out(self, reserved: str) -> NDArray[np.bool_]:
        """(N,) whether the person is among the reserved ones.

        Raises:
            LifelikeError: INVALID_SETTING when that is no list of people.
        """
        return within(self.person, identity_range(reserved))

    def select(self, keep: NDArray[np.bool_]) -> Portraits:
        """The portraits where ``keep`` (N,) is true."""
        return self if keep.all() else replace(self, **{f.name: getattr(self, f.name)[keep] for f in fields(self)})


def read_portraits(data: PortraitData, resolution: int, look: str | None = None) -> Portraits:
    """Read all of a training's data sets at a resolution.

    Args:
        look: only this look's; None: all.

    Raises:
        LifelikeError: INVALID_SETTING when no folder is named; INVALID_FILE for a set that is unreadable or has no such
            picture, or smaller ones.
    """
    parts = read_each(data, resolution, look)
    return parts[0] if len(parts) == 1 else joined(parts)


def read_each(data: PortraitData, resolution: int, look: str | None = None) -> list[Portraits]:
    """As `read_portraits`, but each data set by itself."""
    if not data.folders:
        what = "No data set is named to train on."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name one or several: --set 'data.folders=[\"DIR\"]'.")
    cache = Path(data.cache) if data.cache else None
    return [_portraits(open_dataset(Path(folder)).pictures(resolution, look, cache)) for folder in data.folders]


def joined(parts: Sequence[Portraits]) -> Portraits:
    """All of them, one after the other; shots of different parts stay apart."""
    first_shots = np.cumsum([0, *(part.shot.max(initial=-1) + 1 for part in parts[:-1])])
    shifted = [replace(part, shot=part.shot + first) for part, first in zip(parts, first_shots, strict=True)]
    return Portraits(*(np.concatenate([getattr(part, f.name) for part in shifted]) for f in fields(Portraits)))


def _portraits(pictures: Pictures) -> Portraits:
    people = [identity_number(record.identity) if record.identity else UNKNOWN for record in pictures.records]
    # A picture that stands alone is a shot of its own.
    names = [record.pair or f"\0{index}" for index, record in enumerate(pictures.records)]
    return Portraits(
        pictures.pixels,
        pictures.landmarks,
        np.array(people, np.int64),
        np.unique(names, return_inverse=True)[1].astype(np.int64),
        np.array([record.look for record in pictures.records]),
    )
