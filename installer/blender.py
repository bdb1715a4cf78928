# SPDX-License-Identifier: GPL-3.0-or-later
"""Blender on this machine."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .refusal import Refusal
from .running import answer

OLDEST = (4, 2)
_START_SECONDS = 120.0


@dataclass(frozen=True)
class Blender:
    """A Blender that can be run. version: (major, minor, patch)."""

    program: Path
    version: tuple[int, ...]

    @property
    def version_text(self) -> str:
        """As people write it."""
        return ".".join(map(str, self.version))


def look_at(program: Path) -> Blender | None:
    """The Blender behind that path, or None if it does not say a version."""
    told = answer([program, "--version"], timeout=_START_SECONDS)
    found = re.search(r"^Blender (\d+(?:\.\d+)+)", told or "", re.MULTILINE)
    return Blender(program, tuple(map(int, found[1].split(".")))) if found else None


def chosen(program: Path) -> Blender:
    """The Blender that the person named: the program, its folder, or a macOS application.

    Raises:
        Refusal: there is none, or it is too old.
    """
    program = program.expanduser().absolute()
    inside = [program / name for name in ("blender", "blender.exe", "Contents/MacOS/Blender")]
    for candidate in (program, *inside):
        if candidate.is_file():
            blender = look_at(candidate)
            if blender is None:
                raise Refusal(f"{candidate} does not run as a Blender does: --blender takes the path of its program.")
            if blender.version < OLDEST:
                raise Refusal(f"{candidate} is Blender {blender.version_text}, and Lifelike needs 4.2 or newer.")
            return blender
    raise Refusal(f"There is no Blender at {program}: --blender takes the path of its program.")


def find(program: Path | None = None) -> Blender | None:
    """The Blender named, else the one on the path if it is new enough, else the newest in the usual places."""
    if program:
        return chosen(program)
    on_path = shutil.which("blender")
    seen: list[Blender] = []
    for candidate in [Path(on_path)] if on_path else []:
        seen += filter(None, [look_at(candidate)])
    if not any(blender.version >= OLDEST for blender in seen):
        seen += filter(None, map(look_at, sorted(set(_usual_places()))))
    fitting = [blender for blender in seen if blender.version >= OLDEST]
    return max(fitting, key=lambda blender: blender.version) if fitting else None


def _usual_places() -> Iterator[Path]:
    home = Path.home()
    if sys.platform == "darwin":
        for folder in (Path("/Applications"), home / "Applications"):
            yield from folder.glob("Blender*.app/Contents/MacOS/Blender")
            yield from folder.glob("Blender*/Blender.app/Contents/MacOS/Blender")
    elif os.name == "nt":
        for variable in ("ProgramFiles", "ProgramFiles(x86)", "LOCALAPPDATA"):
            folder = Path(os.environ.get(variable) or "C:/Program Files")
            yield from folder.glob("Blender Foundation/Blender*/blender.exe")
            yield from folder.glob("Steam/steamapps/common/Blender/blender.exe")
    else:
        for folder in (Path("/opt"), Path("/usr/local"), home, home / "Applications", home / ".local" / "share"):
            yield from folder.glob("[Bb]lender*/blender")
        steam = home / ".local/share/Steam/steamapps/common/Blender/blender"
        for single in (Path("/usr/bin/blender"), Path("/snap/bin/blender"), steam):
            if single.is_file():
                yield single
