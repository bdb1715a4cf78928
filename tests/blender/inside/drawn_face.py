# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: a face cut from coloured cards before a camera, with its 68 landmarks as vertex groups."""

import math

import bpy

SKIN, EYES, LIPS, BROWS = (0.55, 0.32, 0.22), (0.05, 0.04, 0.04), (0.45, 0.09, 0.09), (0.08, 0.05, 0.03)
Points = list[tuple[float, float, float]]


def _arc(centre: tuple[float, float], radii: tuple[float, float], start: float, turn: float, count: int) -> Points:
    """Points on an ellipse in the plane y = 0, z up; degrees, from the person's right over the top."""
    angles = [math.radians(start + turn * step / (count - 1)) for step in range(count)]
    return [(centre[0] - radii[0] * math.cos(a), 0.0, centre[1] + radii[1] * math.sin(a)) for a in angles]


def _landmarks() -> Points:
    """In iBUG order; the face is as wide as 1 and looks along −y."""
    return [
        *_arc((0.0, 0.05), (0.5, 0.62), 0, -180, 17),
        *_arc((-0.22, 0.2), (0.15, 0.08), 20, 140, 5),
        *_arc((0.22, 0.2), (0.15, 0.08), 20, 140, 5),
        *[(0.0, 0.0, 0.15 - 0.083 * step) for step in range(4)],
        *_arc((0.0, -0.13), (0.09, 0.03), 0, -180, 5),
        *_arc((-0.2, 0.13), (0.08, 0.035), 0, 300, 6),
        *_arc((0.2, 0.13), (0.08, 0.035), 0, 300, 6),
        *_arc((0.0, -0.3), (0.17, 0.07), 0, 330, 12),
        *_arc((0.0, -0.3), (0.12, 0.03), 0, 315, 8),
    ]


def build(side: int = 256) -> bpy.types.Object:
    """An empty file with the face, an orthographic camera and a picture of `side` × `side`; returns the face."""
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    scene = bpy.context.scene
    scene.render.resolution_x = scene.render.resolution_y = side
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.render.dither_intensity = 0.0
    marks = _landmarks()
    oval = _arc((0.0, 0.08), (0.52, 0.7), 0, 352.5, 48)
    face = _card("Face", marks, [oval], SKIN, depth=0.02)
    for number in range(68):
        face.vertex_groups.new(name=f"lifelike_{number:02d}").add([number], 1.0, "REPLACE")
    _card("Eyes", [], [marks[36:42], marks[42:48]], EYES)
    _card("Lips", [], [marks[48:60]], LIPS)
    _card("Brows", [], [_thick(marks[17:22]), _thick(marks[22:27])], BROWS)
    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.location, camera.rotation_euler = (0.0, -3.0, 0.0), (math.pi / 2, 0.0, 0.0)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.context.view_layer.update()
    return face


def _thick(line: Points) -> Points:
    return [*line, *[(x, y, z - 0.03) for x, y, z in reversed(line)]]


def _card(
    name: str, loose: Points, outlines: list[Points], colour: tuple[float, float, float], depth: float = 0.0
) -> bpy.types.Object:
    """Loose vertices first, then filled outlines `depth` behind them, glowing in one colour."""
    vertices, faces = list(loose), []
    for outline in outlines:
        faces.append(range(len(vertices), len(vertices) + len(outline)))
        vertices += [(x, y + depth, z) for x, y, z in outline]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], faces)
    material = bpy.data.materials.new(name)
    material.use_nodes = True
    surface = material.node_tree.nodes["Principled BSDF"]
    surface.inputs["Base Color"].default_value = (*colour, 1.0)
    surface.inputs["Emission Color"].default_value = (*colour, 1.0)
    surface.inputs["Emission Strength"].default_value = 1.0
    material.diffuse_color = (*colour, 1.0)
    mesh.materials.append(material)
    card = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(card)
    return card
