# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is shown: one of the scene's heads, and its landmarks as everything now stands."""

from __future__ import annotations

import random

import bpy
import numpy as np

from ..face.heads import Head, heads_shown
from ..face.landmarks import MIRRORED
from .borrowed import Borrowed
from .hook import Hook, Shot


class Rejected(Exception):
    """This draw shows no usable face; says why."""


def choose_head(scene: bpy.types.Scene, hook: Hook, dice: random.Random) -> Head | None:
    """One of the heads that are rendered, or None where the hook knows better or there is none."""
    if hook.has("landmarks"):
        return None
    found = _heads()
    return found[dice.choice(sorted(found))] if found else None


def as_rendered(item: bpy.types.Object, lent: Borrowed) -> None:
    """Evaluates a mesh as a render does, so that its landmarks lie on the surface that is seen."""
    for modifier in item.modifiers:
        lent.set(modifier, "show_viewport", modifier.show_render)
        if modifier.type in ("SUBSURF", "MULTIRES"):
            lent.set(modifier, "levels", modifier.render_levels)
    bpy.context.view_layer.update()


def landmarks_of_head(head: Head) -> np.ndarray:
    """(68, 3) world space, named as the picture shows them."""
    return head.points[list(MIRRORED)] if head.mirrored else head.points


def landmarks_in_world(hook: Hook, shot: Shot, head: Head | None) -> np.ndarray | None:
    """(68, 3) as everything now stands; None where nobody knows.

    Raises:
        Rejected: the head is not rendered now, or the hook's landmarks are useless.
    """
    if hook.has("landmarks"):
        found = hook.call("landmarks", shot)
        if found is None:
            return None
        points = np.asarray(found, np.float64)
        if points.shape != (68, 3) or not np.isfinite(points).all():
            raise Rejected(f"the hook's landmarks are no 68 finite points ({points.shape})")
        return points
    if head is None:
        return None
    bpy.context.view_layer.update()
    moved = _heads().get(head.name)
    if moved is None:
        raise Rejected("the head is hidden")
    return landmarks_of_head(moved)


def _heads() -> dict[str, Head]:
    return {head.name: head for head in heads_shown(bpy.context.evaluated_depsgraph_get(), rendered=True)}
