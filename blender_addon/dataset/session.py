# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that `run.py` understands.

    {"open": scene file, "settings": {…}, "hook": file or null, "options": {…}, "texts": […], "looks": […],
     "panoramas": […]}                → {"opened": {"blender": version, "looks": […], "notes": […]}}
    {"shoot": number, "folder": path} → {"shot": {…}} as `shoot` returns it
    in between, from Blender: {"locate": file}, answered by {"landmarks": 68 pairs or null}

A failure is {"failed": {"code", "what", "remedy"}}, an unexpected one has {"traceback"} too.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, TextIO

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

from .. import compat
from .hook import Hook, run_texts
from .light import own_panoramas, panoramas_in
from .shoot import Studio, shoot


def serve() -> None:
    """Answers commands until standard input ends."""
    answers = _own_output()
    commands: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_read, args=(commands,), daemon=True).start()
    session = _Session(commands, answers)
    while True:
        try:
            session.obey(commands.get())
        except LifelikeError as error:
            session.say({"failed": {"code": error.code.value, "what": error.what, "remedy": error.remedy}})
        except Exception as error:
            traceback.print_exc()
            what = f"Something unexpected went wrong in Blender ({type(error).__name__}: {error})."
            session.say({"failed": {"code": ErrorCode.INTERNAL.value, "what": what, "remedy": ""}})


def _own_output() -> TextIO:
    """Standard output for answers alone; whatever Blender prints goes to standard error from now on."""
    kept = os.dup(1)
    os.dup2(2, 1)
    return os.fdopen(kept, "w", encoding="utf-8", buffering=1)


def _read(commands: queue.Queue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        if line.strip():
            commands.put(json.loads(line))
    # Whoever gave the commands is gone: a render under way is for nobody.
    os._exit(0)


def _plain(value: Any) -> Any:
    """Numbers and vectors of numpy and Blender, which hooks like to give back."""
    return value.tolist() if hasattr(value, "tolist") else list(value)


class _Session:
    """The scene that is open, and what is asked of it."""

    def __init__(self, commands: queue.Queue[dict[str, Any]], answers: TextIO) -> None:
        self._commands = commands
        self._answers = answers
        self._opening: dict[str, Any] = {}
        self._studio: Studio | None = None

    def say(self, answer: dict[str, Any]) -> None:
        self._answers.write(json.dumps(answer, default=_plain) + "\n")
        self._answers.flush()

    def obey(self, command: dict[str, Any]) -> None:
        if "open" in command:
            self._opening = command
            self.say({"opened": self._open()})
        elif "shoot" in command:
            if self._studio is None or not self._studio.hook.keeps_scene:
                self._open()
            assert self._studio is not None
            self.say({"shot": shoot(self._studio, int(command["shoot"]), Path(command["folder"]))})
        else:
            raise LifelikeError(ErrorCode.UNKNOWN_MESSAGE, f"Unknown command {sorted(command)}.")

    def _open(self) -> dict[str, Any]:
        asked = self._opening
        self._studio = None
        open_scene(Path(asked["open"]))
        hook = Hook(Path(asked["hook"]) if asked.get("hook") else None)
        given = panoramas_in([Path(place) for place in asked.get("panoramas", ())])
        self._studio = Studio(
            bpy.context.scene,
            ShotSettings.of_plain(asked["settings"]),
            hook,
            tuple(asked.get("looks") or hook.looks),
            given or own_panoramas(),
            asked.get("options", {}),
            run_texts(tuple(asked.get("texts", ()))),
            self._locate,
        )
        return {"blender": bpy.app.version_string, "looks": list(hook.looks), "notes": _notes(bpy.context.scene)}

    def _locate(self, file: Path) -> np.ndarray | None:
        self.say({"locate": str(file)})
        found = self._commands.get().get("landmarks")
        return None if found is None else np.asarray(found, np.float64)


def _notes(scene: bpy.types.Scene) -> list[str]:
    """What the person should know about the pictures to come, as sentences."""
    cycles = getattr(scene, "cycles", None)
    if scene.render.engine == "CYCLES" and cycles and cycles.use_denoising and not compat.can_denoise():
        return ["This Blender was built without denoising: the pictures keep their noise, or need more samples."]
    return []


def open_scene(file: Path) -> None:
    """Opens a .blend without running any of its scripts.

    Raises:
        LifelikeError: INVALID_FILE.
    """
    try:
        bpy.ops.wm.open_mainfile(filepath=str(file), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        said = str(error).strip().splitlines()
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"Blender {bpy.app.version_string} can't open {file.name}: {said[-1] if said else 'unknown reason'}",
            "Check the file by opening it in Blender.",
        ) from error
