# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands around the bust: three-point light, portrait camera, plain backdrop and render settings."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import bpy
from mathutils import Vector

from .materials import plain
from .person import Colour

TARGET = Vector((0.0, -0.02, -0.04))


@dataclass(frozen=True)
class Stage:
    """Light, camera and backdrop. Angles in degrees around the head: 0 in front, positive to the subject's left."""

    key_angle: float = 42.0
    key_height: float = 30.0
    key_power: float = 24.0
    fill_power: float = 7.0
    rim_power: float = 13.0
    light_size: float = 0.35
    ambient: float = 0.22
    backdrop: Colour = (0.18, 0.20, 0.23)
    camera_yaw: float = 0.0
    camera_pitch: float = 2.0
    distance: float = 1.02
    focal_length: float = 85.0


def _around(angle: float, height: float, distance: float) -> Vector:
    turn, rise = radians(angle), radians(height)
    return TARGET + distance * Vector((sin(turn) * cos(rise), -cos(turn) * cos(rise), sin(rise)))


def _look(item: bpy.types.Object, place: Vector) -> None:
    item.location = place
    item.rotation_euler = (TARGET - place).to_track_quat("-Z", "Y").to_euler()


def set_stage(scene: bpy.types.Scene, collection: bpy.types.Collection, stage: Stage) -> bpy.types.Object:
    """Add lights, camera and backdrop to `collection`, make the camera active and return it."""
    lights = (
        ("Key", stage.key_angle, stage.key_height, stage.key_power, stage.light_size),
        ("Fill", -stage.key_angle * 1.2, 5.0, stage.fill_power, 0.9),
        ("Rim", 180.0 - stage.key_angle, 40.0, stage.rim_power, 0.4),
    )
    for name, angle, height, power, size in lights:
        data = bpy.data.lights.new(name, "AREA")
        data.energy, data.size = power, size
        light = bpy.data.objects.new(name, data)
        _look(light, _around(angle, height, 1.5))
        collection.objects.link(light)
    camera = bpy.data.objects.new("Portrait camera", bpy.data.cameras.new("Portrait camera"))
    camera.data.lens = stage.focal_length
    camera.data.sensor_width = 36.0
    _look(camera, _around(stage.camera_yaw, stage.camera_pitch, stage.distance))
    collection.objects.link(camera)
    scene.camera = camera
    _backdrop(scene, collection, stage)
    return camera


def _backdrop(scene: bpy.types.Scene, collection: bpy.types.Collection, stage: Stage) -> None:
    """A wall facing the camera, far enough behind to take no shadow, and an even ambient light."""
    mesh = bpy.data.meshes.new("Backdrop")
    mesh.from_pydata([(-4, 0, -4), (4, 0, -4), (4, 0, 4), (-4, 0, 4)], [], [(0, 1, 2, 3)])
    mesh.materials.append(plain("Backdrop", stage.backdrop, 0.9))
    wall = bpy.data.objects.new("Backdrop", mesh)
    behind = _around(stage.camera_yaw, stage.camera_pitch, -1.6)
    wall.location = behind
    wall.rotation_euler = (0.0, 0.0, radians(stage.camera_yaw))
    collection.objects.link(wall)
    world = bpy.data.worlds.new("Studio")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (1.0, 1.0, 1.0, 1.0)
    world.node_tree.nodes["Background"].inputs["Strength"].default_value = stage.ambient
    scene.world = world


def set_render(scene: bpy.types.Scene, size: int = 512, samples: int = 32) -> None:
    """A square Cycles render on the processor, without denoising (not every Blender has the denoiser)."""
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = samples
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 3
    scene.cycles.transparent_max_bounces = 6
    scene.cycles.sample_clamp_indirect = 2.0
    scene.cycles.caustics_reflective = scene.cycles.caustics_refractive = False
    scene.render.resolution_x = scene.render.resolution_y = size
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
