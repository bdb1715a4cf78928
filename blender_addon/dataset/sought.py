# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces that the scene knows nothing about: shown whole, then looked for in the picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np
from mathutils import Vector

from lifelike_protocol.errors import ErrorCode, LifelikeError

from .crop import FaceFrame
from .render import render_to

if TYPE_CHECKING:
    from .hook import Shot
    from .shoot import Studio

LOOKED_AT = 512
"""Side, in pixels, of the picture in which the face is looked for: what the locator was made for."""


def camera_before_scene(scene: bpy.types.Scene) -> tuple[FaceFrame, float]:
    """What the scene's camera looks at, taken for a face that looks back; and how wide the camera sees there.

    Raises:
        LifelikeError: NO_FACE where the scene has no camera that shows something.
    """
    camera = scene.camera
    if camera is None or camera.type != "CAMERA" or camera.data.type not in ("PERSP", "ORTHO"):
        raise LifelikeError(
            ErrorCode.NO_FACE,
            "The scene has neither landmarks nor a camera that looks at a face.",
            "Add the vertex groups lifelike_00 to lifelike_67, or aim the scene's camera at the face.",
        )
    depsgraph = bpy.context.evaluated_depsgraph_get()
    evaluated = camera.evaluated_get(depsgraph)
    matrix, data = evaluated.matrix_world.normalized(), evaluated.data
    frame = [matrix @ corner for corner in data.view_frame(scene=scene)]
    middle = sum(frame, Vector()) / 4
    origin = matrix.translation if data.type == "PERSP" else middle + matrix.col[2].to_3d()
    ahead = (middle - origin).normalized()
    hit, place, *_ = scene.ray_cast(depsgraph, origin + ahead * data.clip_start, ahead)
    if not hit:
        raise LifelikeError(
            ErrorCode.NO_FACE,
            "The scene has no landmarks, and nothing is in the middle of its camera's picture.",
            "Add the vertex groups lifelike_00 to lifelike_67, or aim the scene's camera at the face.",
        )
    share = (place - origin).length / (middle - origin).length if data.type == "PERSP" else 1.0
    sides = (frame[0] - frame[1]).length, (frame[1] - frame[2]).length
    right, up = matrix.col[0].to_3d().normalized(), matrix.col[1].to_3d().normalized()
    metre = 1.0 / (scene.unit_settings.scale_length or 1.0)
    return FaceFrame(place, right, up, -ahead, metre), max(sides) * share


def sought_landmarks(studio: Studio, shot: Shot, folder: Path) -> np.ndarray | None:
    """(68, 2) landmarks of the face in the scene camera's square picture, scaled to the portrait's size; or None."""
    if studio.locate is None:
        return None
    scene, render = studio.scene, studio.scene.render
    size = studio.settings.resolution
    file = folder / f"{shot.number:06d}_looked_at.png"
    if studio.hook.has("look"):
        studio.hook.call("look", shot, studio.looks[0])
        bpy.context.view_layer.update()
    render.resolution_x = render.resolution_y = LOOKED_AT
    try:
        render_to(scene, file)
        found = studio.locate(file)
    finally:
        render.resolution_x = render.resolution_y = size
        file.unlink(missing_ok=True)
    return None if found is None else np.asarray(found, np.float64) * (size / LOOKED_AT)
