# SPDX-License-Identifier: GPL-3.0-or-later
"""Every face the scene knows, as hints for the backend."""

from __future__ import annotations

from collections.abc import Iterator

import bpy
import numpy as np
from mathutils import Matrix

from lifelike_protocol.messages import FaceHint

from .landmarks import MIRRORED, carries_landmarks, landmarks_of
from .makehuman import carries_joints, landmarks_from_joints
from .projection import View
from .visibility import is_visible


def faces_in_view(
    depsgraph: bpy.types.Depsgraph, view: View, width: int, height: int, rendered: bool = False
) -> tuple[FaceHint, ...]:
    """The heads that can be seen, nearest first.

    Meshes with the vertex groups `lifelike_00` … `lifelike_67`, and MakeHuman or MPFB bodies by their
    joints. Modifiers, shape keys, armatures and instances are followed. Heads outside the frame, turned
    away or hidden are left out; partly covered ones are kept.

    Args:
        depsgraph: evaluated, of the view layer that is shown.
        view: see `camera_view` and `View.of_matrices`.
        width, height: of the picture, in pixels.
        rendered: leave out what is hidden from renders, not only from the viewport.

    Returns:
        One hint a head, its name the object's (further instances get " 2", " 3", …), landmarks
        (68, 2) float64 in pixels, x right, y down, centre of the first pixel at (0.5, 0.5).
    """
    found: list[tuple[float, str, np.ndarray]] = []
    for name, points, mirrored in _heads(depsgraph, rendered):
        if is_visible(points, mirrored, view, width, height, depsgraph, rendered):
            pixels, _ = view.to_pixels(points, width, height)
            distance = float(-view.to_view(points)[:, 2].mean())
            found.append((distance, name, pixels[list(MIRRORED)] if mirrored else pixels))
    found.sort(key=lambda head: head[0])
    return tuple(FaceHint(name=name, landmarks=pixels) for _, name, pixels in found)


def _heads(depsgraph: bpy.types.Depsgraph, rendered: bool) -> Iterator[tuple[str, np.ndarray, bool]]:
    """Name, (68, 3) landmarks in world space, and whether the matrix mirrors, of every head shown."""
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
        yield name, points @ to_world[:3, :3].T + to_world[:3, 3], matrix.determinant() < 0


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
