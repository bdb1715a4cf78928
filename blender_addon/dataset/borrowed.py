# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene that is lent: whatever is set or made through this is put back and removed afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import bpy

from ..restore import restored


class Borrowed:
    """Remembers every change, and undoes all of them, last first, when the `with` block ends."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Borrowed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self._undo:
            self._undo.pop()()

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Sets a property; does nothing where this Blender has no such property."""
        if not hasattr(owner, name):
            return
        before = getattr(owner, name)
        if hasattr(before, "copy") and not isinstance(before, bpy.types.ID):
            before = before.copy()  # vectors and the like are views of what is about to change
        setattr(owner, name, value)
        self._undo.append(lambda: _put_back(owner, name, before))

    def keep(self, owner: Any, names: Iterable[str]) -> None:
        """Puts these properties back at the end, in this order: a file format before its colour depth."""
        stack = ExitStack()
        stack.enter_context(restored(owner, names))
        self._undo.append(stack.close)

    def made(self, collection: Any, item: bpy.types.ID) -> None:
        """`item` of `bpy.data.<collection>` was made for the moment."""
        self._undo.append(lambda: collection.remove(item))

    def show_frame(self, scene: bpy.types.Scene, frame: int) -> None:
        """Goes to a frame of the animation."""
        before = scene.frame_current, scene.frame_subframe
        scene.frame_set(frame)
        self._undo.append(lambda: scene.frame_set(before[0], subframe=before[1]))

    def afterwards(self, undo: Callable[[], None]) -> None:
        """Calls `undo` at the end."""
        self._undo.append(undo)


def _put_back(owner: Any, name: str, value: Any) -> None:
    # Blender gives "" for an enum without a valid value, which nobody can set.
    if value != "":
        setattr(owner, name, value)
