# SPDX-License-Identifier: GPL-3.0-or-later
"""A head whose 68 landmarks are known: loose points before a skull. Runs inside Blender."""

from __future__ import annotations

import math

import bmesh
import bpy
import numpy as np
from lifelike_addon.face import hm08
from lifelike_addon.face.landmarks import GROUPS

EYE_DISTANCE = 0.064  # metres


def landmark_positions() -> np.ndarray:
    """(68, 3) in the head's own space: metres, the face looks along −y, z up."""
    points = np.array(hm08.LANDMARKS) * EYE_DISTANCE
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], axis=1)


def add_head(scene: bpy.types.Scene, name: str = "Head") -> bpy.types.Object:
    """One mesh: the landmarks as vertices with their groups, and behind them a closed skull."""
    mesh = bpy.data.meshes.new(name)
    work = bmesh.new()
    for point in landmark_positions():
        work.verts.new(point)
    skull = bmesh.ops.create_uvsphere(work, u_segments=16, v_segments=10, radius=1.0)["verts"]
    for vertex in skull:
        vertex.co = (vertex.co.x * 0.075, vertex.co.y * 0.09 + 0.055, vertex.co.z * 0.11 - 0.03)
    work.to_mesh(mesh)
    work.free()
    head = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(head)
    for index, group in enumerate(GROUPS):
        head.vertex_groups.new(name=group).add([index], 1.0, "REPLACE")
    return head


def portrait_camera(scene: bpy.types.Scene, distance: float = 0.8) -> bpy.types.Object:
    """A camera straight before the face, the scene's."""
    data = bpy.data.cameras.new("camera")
    camera = bpy.data.objects.new("camera", data)
    camera.location = (0.0, -distance, -0.02)
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    scene.collection.objects.link(camera)
    scene.camera = camera
    return camera


def screen(scene: bpy.types.Scene, left: float, right: float, y: float = -0.3) -> bpy.types.Object:
    """An upright wall between camera and face, from x = left to x = right."""
    mesh = bpy.data.meshes.new("screen")
    corners = [(left, y, -1.0), (right, y, -1.0), (right, y, 1.0), (left, y, 1.0)]
    mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
    wall = bpy.data.objects.new("screen", mesh)
    scene.collection.objects.link(wall)
    return wall


def projected(points: np.ndarray, camera: bpy.types.Object, scene: bpy.types.Scene) -> np.ndarray:
    """(N, 2) pixels of world points, from the camera's own numbers only (a pinhole, or parallel rays).

    Sensor fit: the sensor's width spans the longer side (AUTO) or the named one; pixels are as wide as the pixel
    aspect says (Blender manual, Cameras › Camera › Sensor Fit and Render › Output › Aspect).
    """
    data, render = camera.data, scene.render
    width, height = render.resolution_x, render.resolution_y
    wide, tall = width * render.pixel_aspect_x, height * render.pixel_aspect_y
    horizontal = data.sensor_fit == "HORIZONTAL" or (data.sensor_fit == "AUTO" and wide >= tall)
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    spanned = wide if horizontal else tall
    local = (points - np.array(camera.location)) @ np.array(camera.rotation_euler.to_matrix())
    if data.type == "ORTHO":
        plane = local[:, :2] / data.ortho_scale
    else:
        plane = local[:, :2] / -local[:, 2:3] * data.lens / sensor
    plane = plane - (data.shift_x, data.shift_y)
    return np.stack(
        [
            width / 2 + plane[:, 0] * spanned / render.pixel_aspect_x,
            height / 2 - plane[:, 1] * spanned / render.pixel_aspect_y,
        ],
        axis=1,
    )
