# SPDX-License-Identifier: GPL-3.0-or-later
"""The faces found in the six portrait scenes of the data folder."""

from __future__ import annotations

import addon_parts
import bpy
import numpy as np
import scenes
from lifelike_addon.face.projection import camera_view
from lifelike_addon.face.scene import faces_in_view
from mathutils import Vector

SIZE = 256


def hints() -> tuple:
    scene = bpy.context.scene
    depsgraph = bpy.context.evaluated_depsgraph_get()
    height = round(SIZE * scene.render.resolution_y / scene.render.resolution_x)
    view = camera_view(scene, depsgraph, scene.camera, SIZE, height)
    return faces_in_view(depsgraph, view, SIZE, height, rendered=True)


def off_vertices() -> float:
    """How far the hint lies from the vertices that the mesh's own list names, projected by hand."""
    scene = bpy.context.scene
    depsgraph = bpy.context.evaluated_depsgraph_get()
    head = bpy.data.objects["Avatar_skin"]
    evaluated = head.evaluated_get(depsgraph)
    assert len(evaluated.data.vertices) >= len(head.data.vertices)
    points = np.array([evaluated.matrix_world @ evaluated.data.vertices[i].co for i in head["lm68_vertex_ids"]])
    camera = scene.camera.evaluated_get(depsgraph)
    local = np.array([camera.matrix_world.inverted() @ Vector(point) for point in points])
    data = camera.data
    # The sensor's width spans the picture's.
    assert data.sensor_fit == "AUTO"
    assert scene.render.resolution_x >= scene.render.resolution_y
    height = round(SIZE * scene.render.resolution_y / scene.render.resolution_x)
    plane = local[:, :2] / -local[:, 2:3] * data.lens / data.sensor_width - (data.shift_x, data.shift_y)
    expected = np.stack([SIZE / 2 + plane[:, 0] * SIZE, height / 2 - plane[:, 1] * SIZE], axis=1)
    return float(np.abs(hints()[0].landmarks - expected).max())


REPORT: dict[str, object] = {}
for number in range(1, 7):
    bpy.ops.wm.open_mainfile(filepath=str(scenes.SHARED_SCENES / f"avatar_{number}.blend"))
    REPORT[str(number)] = sorted(hint.name for hint in hints())
    if number == 2:
        moved = []
        for frame in (1, 12, 24):
            bpy.context.scene.frame_set(frame)
            moved.append({"off": off_vertices(), "nose": hints()[0].landmarks[30].tolist()})
        REPORT["animated"] = moved
addon_parts.write_report(REPORT)
