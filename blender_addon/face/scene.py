# SPDX-License-Identifier: GPL-3.0-or-later
"""Every face the scene knows, as hints for the backend."""

from __future__ import annotations

import bpy
import numpy as np

from lifelike_protocol.messages import FaceHint

from .heads import heads_shown
from .landmarks import MIRRORED
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
    for name, points, mirrored, _ in heads_shown(depsgraph, rendered):
        if is_visible(points, mirrored, view, width, height, depsgraph, rendered):
            pixels, _ = view.to_pixels(points, width, height)
            distance = float(-view.to_view(points)[:, 2].mean())
            found.append((distance, name, pixels[list(MIRRORED)] if mirrored else pixels))
    found.sort(key=lambda head: head[0])
    return tuple(FaceHint(name=name, landmarks=pixels) for _, name, pixels in found)
