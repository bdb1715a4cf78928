# SPDX-License-Identifier: GPL-3.0-or-later
"""Which data blocks and nodes are Lifelike's own, so that only these are updated in place."""

from __future__ import annotations

import bpy

_MARK = "lifelike"


def mark(made: bpy.types.ID | bpy.types.Node, role: str) -> None:
    """Remembers on `made` that Lifelike made it, and what for."""
    made[_MARK] = role


def is_marked(found: bpy.types.ID | bpy.types.Node, role: str) -> bool:
    """Whether Lifelike made this one for the same purpose."""
    return found.get(_MARK) == role
