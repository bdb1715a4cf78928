# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that are changed for a moment and put back, whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import bpy


@contextmanager
def restored(owner: bpy.types.bpy_struct, names: Iterable[str]) -> Iterator[None]:
    """Puts the named properties of `owner` back on leaving, in the given order.

    Give them in the order in which they may be set: a file format before its colour depth, a display
    before its views. Names this Blender does not have are passed over, and so are enums without a valid
    value (Blender gives "" for those), which nobody can set.
    """
    before = [(name, getattr(owner, name)) for name in names if hasattr(owner, name)]
    try:
        yield
    finally:
        for name, value in before:
            if value != "" and getattr(owner, name) != value:
                setattr(owner, name, value)
