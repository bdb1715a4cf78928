# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a head can be seen: in the frame, facing the camera, not hidden behind something."""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Vector

from .projection import View

INNER = slice(17, 68)
"""Brows, nose, eyes and mouth; the jaw line is often under hair or a scarf."""

_FACING = 0.17  # cosine: up to 80° away from the camera
_IN_FRAME = 0.5  # share of the inner landmarks
_UNCOVERED = 0.25  # share of the inner landmarks: a fringe, a scarf or glasses leave more than that
_SMALLEST = 3.0  # pixels between the eyes; smaller faces hold no picture
_TOLERANCE = 0.1  # of the distance between the eyes: lashes, brows and lips lie this close to a landmark
_MOST_HITS = 16  # surfaces that are not drawn, passed on one line of sight


def is_visible(
    points: np.ndarray,
    mirrored: bool,
    view: View,
    width: int,
    height: int,
    depsgraph: bpy.types.Depsgraph,
    rendered: bool,
) -> bool:
    """Whether enough of a face can be seen in the picture.

    Args:
        points: (68, 3) landmarks in world space.
        mirrored: the object's matrix turns left into right.
        rendered: a render (hidden from renders counts) rather than a viewport.
    """
    pixels, in_front = view.to_pixels(points, width, height)
    if not in_front.all():
        return False
    inside = ((pixels >= 0) & (pixels < (width, height))).all(axis=1)
    if inside[INNER].mean() < _IN_FRAME:
        return False
    right, left = pixels[36:42].mean(axis=0), pixels[42:48].mean(axis=0)
    mouth = pixels[[48, 54]].mean(axis=0)
    if max(np.linalg.norm(left - right), np.linalg.norm(mouth - (left + right) / 2)) < _SMALLEST:
        return False
    return (
        _facing(view.to_view(points), mirrored, view) > _FACING
        and _uncovered(points, view, depsgraph, rendered) >= _UNCOVERED
    )


def _facing(points: np.ndarray, mirrored: bool, view: View) -> float:
    """Cosine between the way the face looks and the way to the camera, from landmarks in view space."""
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    mouth = points[[48, 54]].mean(axis=0)
    eyes = (right + left) / 2
    ahead = np.cross(mouth - eyes, left - right)
    if mirrored:
        ahead = -ahead
    to_camera = -eyes if view.is_perspective else np.array([0.0, 0.0, 1.0])
    lengths = np.linalg.norm(ahead) * np.linalg.norm(to_camera)
    return float(ahead @ to_camera / lengths) if lengths > 0 else -1.0


def _uncovered(points: np.ndarray, view: View, depsgraph: bpy.types.Depsgraph, rendered: bool) -> float:
    """Share of the inner landmarks with a clear line of sight."""
    between_eyes = float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))
    tolerance = _TOLERANCE * between_eyes
    clear = [_clear_sight(Vector(point), tolerance, view, depsgraph, rendered) for point in points[INNER]]
    return sum(clear) / len(clear)


def _clear_sight(point: Vector, tolerance: float, view: View, depsgraph: bpy.types.Depsgraph, rendered: bool) -> bool:
    scene = depsgraph.scene
    origin = view.ray_origin(point, reach=1000.0)
    direction = (point - origin).normalized()
    for _ in range(_MOST_HITS):
        distance = (point - origin).length - tolerance
        if distance <= 0:
            return True
        hit, location, _, _, blocker, _ = scene.ray_cast(depsgraph, origin, direction, distance=distance)
        if not hit:
            return True
        if _is_drawn(blocker, rendered):
            return False
        origin = location + direction * max(1e-5, tolerance * 1e-2)
    return True


def _is_drawn(item: bpy.types.Object, rendered: bool) -> bool:
    """Whether the object shows in the picture: cages, guides and light blockers do not."""
    if rendered and (item.original.hide_render or not item.original.visible_camera):
        return False
    return item.display_type not in ("WIRE", "BOUNDS")
