# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be rendered, checked before any work starts, and what of it is done already."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen

from lifelike.datasets.indexes import OWN
from lifelike.datasets.record import LOOKS, from_line
from lifelike.hashing import file_sha256
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

REJECTED = "rejected.jsonl"
_STARTS = (b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b")
"""How .blend files begin: plain, and compressed with zstd (since 3.0) or gzip (before)."""


@frozen
class RenderPlan:
    """Everything that decides what is rendered.

    scenes: the .blend files; persons take turns. count: shots. looks: to render; empty: all that the hook has.
    panoramas: files and folders to light with; empty: Blender's own. texts: the scenes' own scripts to be run.
    """

    scenes: tuple[Path, ...]
    settings: ShotSettings
    count: int
    looks: tuple[str, ...] = ()
    panoramas: tuple[Path, ...] = ()
    hook: Path | None = None
    options: Mapping[str, str] = field(factory=dict)
    texts: tuple[str, ...] = ()

    def scene_of(self, shot: int) -> Path:
        """The scene of a shot."""
        return self.scenes[shot // self.settings.poses % len(self.scenes)]

    def opening(self, scene: Path) -> dict[str, Any]:
        """The command that opens a scene; see `blender_addon/dataset/session.py`."""
        return {
            "open": str(scene.absolute()),
            "settings": self.settings.to_plain(),
            "hook": str(self.hook.absolute()) if self.hook else None,
            "options": dict(self.options),
            "texts": list(self.texts),
            "looks": list(self.looks),
            "panoramas": [str(place.absolute()) for place in self.panoramas],
        }

    def deciding(self) -> dict[str, Any]:
        """What must be the same for a data set to be continued; JSON values."""
        values: dict[str, Any] = json.loads(json.dumps(self.settings.to_plain()))
        values.pop("seed")
        values.pop("resolution")
        return values | {
            "scenes": {scene.name: file_sha256(scene) for scene in self.scenes},
            "hook": {self.hook.name: file_sha256(self.hook)} if self.hook else {},
            "options": dict(self.options),
            "texts": list(self.texts),
            "looks": list(self.looks),
            "panoramas": [place.name for place in self.panoramas],
        }

    def check(self) -> None:
        """Raises LifelikeError for whatever can be known to be wrong before Blender starts."""
        if not self.scenes:
            raise LifelikeError(ErrorCode.INVALID_SETTING, "No scene is named.", "Name a .blend file.")
        names = [scene.name for scene in self.scenes]
        if len(set(names)) < len(names):
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, "Two of the scenes have the same file name.", "Rename one of them."
            )
        for scene in self.scenes:
            _check_scene(scene)
        for place in (*self.panoramas, *([self.hook] if self.hook else [])):
            if not place.exists():
                raise LifelikeError(ErrorCode.INVALID_FILE, f"There is no {place}.", "Check the path.")
        check_looks(self.looks)
        try:
            re.compile(self.settings.expressions)
        except re.error as error:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The names of expressions are no regular expression: {error}.",
                "Write for example --expressions 'smile|brow'.",
            ) from error


def check_looks(looks: Iterable[str], wanted: Iterable[str] = ()) -> None:
    """Raises LifelikeError INVALID_SETTING for a look that no data set has, one named twice, or one that is missing."""
    named = list(looks)
    for look in named:
        if look not in LOOKS or not look or named.count(look) > 1:
            known = " and ".join(look for look in LOOKS if look)
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, f"The looks {', '.join(named)} can't be made.", f"There are {known}."
            )
    for look in wanted:
        if look not in named:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The look {look} can't be made: the hook has {', '.join(named)}.",
                "A look is switched by a hook; see docs/rendering_datasets.md.",
            )


def _check_scene(scene: Path) -> None:
    try:
        with scene.open("rb") as file:
            start = file.read(7)
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The scene {scene} can't be read ({error.strerror}).", "Check the path."
        ) from error
    if not start.startswith(_STARTS):
        raise LifelikeError(ErrorCode.INVALID_FILE, f"{scene} is no .blend file.", "Name a scene saved by Blender.")


def picture_name(shot: int, look: str) -> str:
    """A picture's place in the data set; a thousand shots a folder."""
    return f"pictures/{shot // 1000:04d}/{shot:06d}_{look}.png"


def shots_done(folder: Path) -> dict[int, set[str]]:
    """The looks already in the data set, by shot; a shot that was rejected has the look ""."""
    done: dict[int, set[str]] = {}
    for line in _lines(folder / OWN):
        try:
            record = from_line(line)
            done.setdefault(int(record.attributes["shot"]), set()).add(record.look)
        except (ValueError, KeyError, TypeError):
            continue  # a torn last line: its shot is rendered again
    for line in _lines(folder / REJECTED):
        try:
            done.setdefault(int(json.loads(line)["shot"]), set()).add("")
        except (ValueError, KeyError, TypeError):
            continue
    return done


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
