# SPDX-License-Identifier: GPL-3.0-or-later
"""A person's own Python for their own characters. It runs inside Blender with all of Blender's rights.

Each function is optional, is given the `Shot`, and takes the place of what would happen otherwise:

    LOOKS = ("render", "photo")     names of the looks; without it there is one, "render"
    KEEP_SCENE = True               the hook sets everything anew for each shot: the file need not be opened again
    def person(shot): ...           shows another person; returns {"identity": text, "attributes": {...}} or None
    def expression(shot): ...       sets an expression; returns what goes into the data set's attributes, or None
    def pose(shot): ...             the same for the pose
    def light(shot): ...            the same for the light; called after the camera is set
    def camera(shot): ...           sets the scene's camera; `shot.place` holds what was drawn
    def landmarks(shot): ...        (68, 3) world space, iBUG order, or None where the face has none
    def look(shot, name): ...       switches to a look, just before it is rendered
    def develop(shot, name, pixels): ...  changes the finished picture, (H, W, 3) display values 0…1; returns it

A scene's own scripts never run by themselves; those that the person names are there as `shot.texts["name"]`.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

from .camera import CameraPlace


@dataclass
class Shot:
    """One shot as a hook sees it.

    number: of the shot; person, pose: number of the person and of the shot among that person's.
    dice: the shot's own random numbers; person_dice: the same for every shot of the person.
    place: where the camera was drawn to stand. options: the person's `--hook-option NAME=VALUE`.
    texts: the scene's own scripts that were asked for, each as the dictionary of its names.
    """

    scene: bpy.types.Scene
    settings: ShotSettings
    number: int
    dice: random.Random
    person_dice: random.Random
    place: CameraPlace
    options: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def person(self) -> int:
        return self.number // self.settings.poses

    @property
    def pose(self) -> int:
        return self.number % self.settings.poses


class Hook:
    """The functions of a hook file; without a file, none."""

    def __init__(self, file: Path | None = None) -> None:
        """Runs the file.

        Raises:
            LifelikeError: INVALID_FILE where it is not there or fails.
        """
        self.file = file
        self._module = _load(file) if file is not None else ModuleType("no_hook")

    @property
    def looks(self) -> tuple[str, ...]:
        return tuple(getattr(self._module, "LOOKS", ("render",)))

    @property
    def keeps_scene(self) -> bool:
        """Whether shots need not start from the file as it was saved."""
        return self.file is None or bool(getattr(self._module, "KEEP_SCENE", False))

    def has(self, step: str) -> bool:
        return callable(getattr(self._module, step, None))

    def call(self, step: str, shot: Shot, *arguments: Any) -> Any:
        """Runs one of the hook's functions.

        Raises:
            LifelikeError: INVALID_FILE naming the hook's line that failed.
        """
        function: Callable[..., Any] = getattr(self._module, step)
        try:
            return function(shot, *arguments)
        except Exception as error:
            raise _failed(self.file, error) from error


def run_texts(names: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Runs scripts stored in the open .blend, each in a dictionary of its own.

    Raises:
        LifelikeError: INVALID_FILE where there is none of that name, or it fails.
    """
    texts: dict[str, dict[str, Any]] = {}
    for name in names:
        text = bpy.data.texts.get(name)
        if text is None:
            there = ", ".join(sorted(text.name for text in bpy.data.texts)) or "none"
            raise LifelikeError(
                ErrorCode.INVALID_FILE, f"The scene holds no script {name!r}.", f"Its scripts are: {there}."
            )
        texts[name] = {"__name__": name}
        try:
            exec(compile(text.as_string(), name, "exec"), texts[name])
        except Exception as error:
            raise _failed(Path(name), error) from error
    return texts


def _load(file: Path) -> ModuleType:
    if not file.is_file():
        raise LifelikeError(ErrorCode.INVALID_FILE, f"There is no hook {file}.", "Check the path after --hook.")
    specification = importlib.util.spec_from_file_location(f"lifelike_hook_{file.stem}", file)
    if specification is None or specification.loader is None:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"The hook {file} is no Python file.", "Its name must end in .py.")
    module = importlib.util.module_from_spec(specification)
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        raise _failed(file, error) from error
    return module


def _failed(file: Path | None, error: Exception) -> LifelikeError:
    """Names the deepest line of the file that took part."""
    line, trace = 0, error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code.co_filename
        if file is not None and Path(code).name == file.name:
            line = trace.tb_lineno
        trace = trace.tb_next
    where = f"{file.name if file else 'the hook'}, line {line}" if line else str(file)
    return LifelikeError(
        ErrorCode.INVALID_FILE, f"{where}: {type(error).__name__}: {error}.", "Mend it and run the command again."
    )
