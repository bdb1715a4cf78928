# SPDX-License-Identifier: GPL-3.0-or-later
"""FFHQ's crop (Karras et al. 2019, as published with the data set), set as the camera itself."""

from __future__ import annotations

import math
from typing import NamedTuple

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..face.projection import camera_view

EYE_DISTANCE = 0.063
"""Metres between the pupils of a grown person (Dodgson 2004): gives scenes of any unit a scale."""


class Quad(NamedTuple):
    """An oriented square. centre: (2,) pixels; side: pixels; angle: radians of its x axis, y down."""

    centre: np.ndarray
    side: float
    angle: float


class FaceFrame(NamedTuple):
    """Where a face is in the world and how it looks.

    centre: of FFHQ's crop. right, up, ahead: unit vectors; right is towards the picture's right edge when the face is
    seen from the front (the subject's left). metre: how long the subject's metre is in the scene's unit.
    """

    centre: Vector
    right: Vector
    up: Vector
    ahead: Vector
    metre: float


def face_frame(points: np.ndarray) -> FaceFrame:
    """From (68, 3) landmarks in world space, iBUG order."""
    image_left, image_right, mouth = _eyes_and_mouth(points)
    eyes = (image_left + image_right) / 2
    across, down = image_right - image_left, mouth - eyes
    right = across / np.linalg.norm(across)
    up = -(down - right * (down @ right))
    up /= np.linalg.norm(up)
    return FaceFrame(
        Vector(eyes + 0.1 * down),
        Vector(right),
        Vector(up),
        Vector(right).cross(Vector(up)),
        float(np.linalg.norm(across)) / EYE_DISTANCE,
    )


def quad(pixels: np.ndarray) -> Quad:
    """The crop of a face with these landmarks, (68, 2) pixels."""
    image_left, image_right, mouth = _eyes_and_mouth(pixels)
    eyes = (image_left + image_right) / 2
    across, down = image_right - image_left, mouth - eyes
    axis = across + np.array([down[1], -down[0]])
    side = 2.0 * max(2.0 * float(np.hypot(*across)), 1.8 * float(np.hypot(*down)))
    return Quad(eyes + 0.1 * down, side, math.atan2(axis[1], axis[0]))


def off_by(pixels: np.ndarray, size: int) -> float:
    """How far, in pixels, the corners of the crop lie from those of a picture of `size` pixels."""
    centre, side, angle = quad(pixels)
    half = side / 2 * np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    corners = centre + half @ turn
    return float(np.abs(corners - np.array([[0, 0], [size, 0], [size, size], [0, size]])).max())


def aim(camera: bpy.types.Object, pixels: np.ndarray, size: int) -> np.ndarray:
    """Rolls, zooms and shifts a camera until its square picture is exactly the crop of a face it sees.

    Args:
        camera: without parent, constraints, drivers, animation or shift; its place and direction stay.
        pixels: (68, 2) landmarks in its square picture of `size` pixels now.

    Returns:
        (68, 2) the same landmarks in its picture afterwards.
    """
    angle = quad(pixels).angle
    camera.matrix_world = camera.matrix_world @ Matrix.Rotation(-angle, 4, "Z")
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    upright = (pixels - size / 2) @ turn
    centre, side, _ = quad(upright)
    zoom = size / side
    camera.data.lens *= zoom
    camera.data.ortho_scale /= zoom
    # Blender counts the shift in widths of the (square) picture.
    camera.data.shift_x, camera.data.shift_y = centre[0] / side, -centre[1] / side
    bpy.context.view_layer.update()
    return (upright - centre) * zoom + size / 2


def project(scene: bpy.types.Scene, camera: bpy.types.Object, points: np.ndarray, size: int) -> np.ndarray:
    """(N, 3) world → (N, 2) pixels of a square picture, x right, y down, first pixel's centre at (0.5, 0.5)."""
    bpy.context.view_layer.update()
    view = camera_view(scene, bpy.context.evaluated_depsgraph_get(), camera, size, size, border=False)
    if view is None:
        raise ValueError("a panoramic camera has no projection")
    return view.to_pixels(points, size, size)[0]


def _eyes_and_mouth(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return points[36:42].mean(axis=0), points[42:48].mean(axis=0), (points[48] + points[54]) / 2
