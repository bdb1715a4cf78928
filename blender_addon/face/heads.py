# SPDX-License-Identifier: GPL-3.0-or-later
"""Every head that the scene shows, in world space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Matrix

from .landmarks import carries_landmarks, landmarks_of
from .makehuman import carries_joints, landmarks_from_joints


class Head(NamedTuple):
    """One head.

    name: the object's; further instances get " 2", " 3", ….
    points: (68, 3) float64 landmarks in world space, as the mesh names them.
    mirrored: the object's matrix turns left into right.
    item: the original object.
    """

    name: str
    points: np.ndarray
    mirrored: bool
    item: bpy.types.Object


def heads_shown(depsgraph: bpy.types.Depsgraph, rendered: bool) -> Iterator[Head]:
    """Heads with landmark groups or MakeHuman joints, instances and all, as evaluated.

    Args:
        rendered: leave out what is hidden from renders, not only from the viewport.
    """
    known: dict[str, np.ndarray | None] = {}
    count: dict[str, int] = {}
    for item, matrix in _shown_objects(depsgraph, rendered):
        key = item.name_full
        if key not in known:
            known[key] = _local_landmarks(item, depsgraph)
        points = known[key]
        if points is None:
            continue
        count[key] = count.get(key, 0) + 1
        name = item.name if count[key] == 1 else f"{item.name} {count[key]}"
        to_world = np.array(matrix)
        world = points @ to_world[:3, :3].T + to_world[:3, 3]
        yield Head(name, world, matrix.determinant() < 0, item)


def _shown_objects(depsgraph: bpy.types.Depsgraph, rendered: bool) -> list[tuple[bpy.types.Object, Matrix]]:
    # A full list first: evaluating a mesh while the iteration runs would end it.
    shown = []
    for instance in depsgraph.object_instances:
        item = instance.object.original
        if not (carries_landmarks(item) or carries_joints(item)) or not instance.show_self:
            continue
        if rendered and (item.hide_render or not item.visible_camera):
            continue
        shown.append((item, instance.matrix_world.copy()))
    return shown


def _local_landmarks(item: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> np.ndarray | None:
    if carries_landmarks(item):
        return landmarks_of(item, depsgraph)
    return landmarks_from_joints(item, depsgraph)
