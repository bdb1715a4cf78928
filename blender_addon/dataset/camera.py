# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras round a face."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import bpy
from mathutils import Matrix, Vector

from lifelike_protocol.shots import ShotSettings

from .borrowed import Borrowed
from .crop import FaceFrame


@dataclass(frozen=True)
class CameraPlace:
    """Where a shot is taken from, as drawn. Degrees; distance in the subject's metres; focal in mm on 36 mm film."""

    yaw: float
    pitch: float
    distance: float
    focal: float


def draw_place(settings: ShotSettings, dice: random.Random) -> CameraPlace:
    """Evenly from the ranges."""
    return CameraPlace(
        dice.uniform(*settings.yaw),
        dice.uniform(*settings.pitch),
        dice.uniform(*settings.distance),
        dice.uniform(*settings.focal),
    )


def add_camera(scene: bpy.types.Scene, face: FaceFrame, place: CameraPlace, lent: Borrowed) -> bpy.types.Object:
    """A camera that looks at the face's centre, made the scene's."""
    data = bpy.data.cameras.new("Lifelike shot")
    lent.made(bpy.data.cameras, data)
    camera = bpy.data.objects.new("Lifelike shot", data)
    lent.made(bpy.data.objects, camera)
    scene.collection.objects.link(camera)
    distance = place.distance * face.metre
    data.sensor_fit, data.sensor_width, data.lens = "AUTO", 36.0, place.focal
    data.clip_start, data.clip_end = distance * 0.01, max(1000.0, distance * 1000.0)
    camera.matrix_world = looking_at(face, direction(face, place.yaw, place.pitch), distance)
    lent.set(scene, "camera", camera)
    bpy.context.view_layer.update()
    return camera


def direction(face: FaceFrame, yaw: float, pitch: float) -> Vector:
    """Unit vector from the face to whoever stands at these angles."""
    side, height = math.radians(yaw), math.radians(pitch)
    level = face.ahead * math.cos(side) + face.right * math.sin(side)
    return level * math.cos(height) + face.up * math.sin(height)


def angles(face: FaceFrame, place: Vector) -> tuple[float, float]:
    """Yaw and pitch, degrees, at which a point of the world lies from the face."""
    towards = (place - face.centre).normalized()
    yaw = math.degrees(math.atan2(towards.dot(face.right), towards.dot(face.ahead)))
    return yaw, math.degrees(math.asin(max(-1.0, min(1.0, towards.dot(face.up)))))


def looking_at(face: FaceFrame, towards: Vector, distance: float) -> Matrix:
    """World matrix of something at `distance` from the face that looks at it along −z, the face's up upwards."""
    right = face.up.cross(towards).normalized()
    rotation = Matrix((right, towards.cross(right), towards)).transposed()
    return Matrix.Translation(face.centre + towards * distance) @ rotation.to_4x4()
