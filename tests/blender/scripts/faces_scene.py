# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the faces found in built scenes: where they are, and which are left out."""

from __future__ import annotations

import math

import addon_parts
import bmesh
import bpy
import heads
import numpy as np
import scenes
from lifelike_addon.capture import capture_render_result, capture_viewport
from lifelike_addon.face import hm08
from lifelike_addon.face.projection import View, camera_view
from lifelike_addon.face.scene import faces_in_view
from mathutils import Euler

REPORT: dict[str, object] = {}


def found(rendered: bool = True) -> tuple:
    """The faces that the scene's camera sees at the render's resolution."""
    scene = bpy.context.scene
    depsgraph = bpy.context.evaluated_depsgraph_get()
    width, height = scene.render.resolution_x, scene.render.resolution_y
    view = camera_view(scene, depsgraph, scene.camera, width, height)
    return faces_in_view(depsgraph, view, width, height, rendered=rendered)


def names(rendered: bool = True) -> list[str]:
    return [hint.name for hint in found(rendered)]


def built() -> tuple[bpy.types.Scene, bpy.types.Object, bpy.types.Object]:
    scene = scenes.empty_scene(320, 240)
    head = heads.add_head(scene)
    return scene, head, heads.portrait_camera(scene)


def cameras() -> None:
    """Each way of setting a camera, against a projection computed without Blender."""
    settings = {
        "plain": {},
        "portrait format": {"resolution": (240, 320)},
        "long lens, shifted": {"lens": 85.0, "shift_x": 0.1, "shift_y": -0.07},
        "vertical fit": {"sensor_fit": "VERTICAL", "sensor_height": 20.0},
        "horizontal fit": {"resolution": (240, 320), "sensor_fit": "HORIZONTAL", "lens": 30.0},
        "pixel aspect": {"aspect": (1.0, 1.5)},
        "wide pixels": {"aspect": (2.0, 1.0), "shift_x": 0.05},
        "orthographic": {"type": "ORTHO", "ortho_scale": 0.5, "shift_y": 0.05},
        "turned": {"rotation": (math.pi / 2 + 0.05, 0.3, 0.04)},
    }
    errors = {}
    for label, changes in settings.items():
        scene, head, camera = built()
        for name, value in changes.items():
            if name == "resolution":
                scene.render.resolution_x, scene.render.resolution_y = value
            elif name == "aspect":
                scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = value
            elif name == "rotation":
                camera.rotation_euler = Euler(value)
            else:
                setattr(camera.data, name, value)
        head.location = (0.01, 0.02, -0.01)
        bpy.context.view_layer.update()
        hints = found()
        world = heads.landmark_positions() + np.array(head.location)
        expected = heads.projected(world, camera, scene)
        errors[label] = float(np.abs(hints[0].landmarks - expected).max()) if len(hints) == 1 else None
    REPORT["cameras"] = errors


def dot_in_a_render() -> None:
    """A small glowing ball on one landmark, rendered: its centre of mass is where the hint says."""
    scene, head, camera = built()
    scene.cycles.samples = 16
    scene.cycles.filter_width = 1.0
    camera.data.shift_x, scene.render.pixel_aspect_y = 0.08, 1.25
    offsets = []
    for index in (8, 33, 45):
        mesh = bpy.data.meshes.new("ball")
        work = bmesh.new()
        bmesh.ops.create_icosphere(work, subdivisions=3, radius=0.008)
        work.to_mesh(mesh)
        work.free()
        ball = bpy.data.objects.new("ball", mesh)
        ball.location = heads.landmark_positions()[index]
        material = bpy.data.materials.new("glow")
        material.use_nodes = True
        shader = material.node_tree.nodes["Principled BSDF"]
        shader.inputs["Emission Color"].default_value = (1, 1, 1, 1)
        shader.inputs["Emission Strength"].default_value = 1.0
        mesh.materials.append(material)
        scene.collection.objects.link(ball)
        head.hide_render = True
        bpy.ops.render.render()
        head.hide_render = False
        frame = capture_render_result(bpy.context, "scene_linear", faces=False)
        weight = frame.pixels[..., 0].astype(np.float64) - frame.pixels[0, 0, 0]
        rows, columns = np.indices(weight.shape) + 0.5
        centre = np.array([(columns * weight).sum(), (rows * weight).sum()]) / weight.sum()
        bpy.data.objects.remove(ball)
        offsets.append(float(np.linalg.norm(found()[0].landmarks[index] - centre)))
    REPORT["dot_offsets"] = offsets


def cropped_region() -> None:
    scene, _, _ = built()
    whole = found()[0].landmarks
    render = scene.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x, render.border_min_y, render.border_max_y = 0.2, 0.83, 0.1, 0.97
    bpy.ops.render.render()
    frame = capture_render_result(bpy.context)
    corner = np.array([int(0.2 * 320), 240 - int(0.97 * 240)])
    REPORT["cropped"] = {
        "shape": frame.pixels.shape,
        "error": float(np.abs(frame.faces[0].landmarks + corner - whole).max()),
    }
    render.use_border = False
    drawn = capture_viewport(bpy.context, "CAMERA")
    REPORT["viewport_error"] = float(np.abs(drawn.faces[0].landmarks - whole).max())


def deformed() -> None:
    """Shape keys, armatures and modifiers that add or remove vertices."""
    _, head, camera = built()
    scene = bpy.context.scene
    head.shape_key_add(name="Basis")
    key = head.shape_key_add(name="open")
    for index in range(48, 68):
        key.data[index].co.z -= 0.02
    key.value = 0.5
    bone_rig(scene, head)
    bpy.context.view_layer.update()
    points = heads.landmark_positions()
    points[48:68, 2] -= 0.01
    turn = np.array(Euler((0, 0, 0.3)).to_matrix())
    expected = heads.projected(points @ turn.T, camera, scene)
    plain = found()[0].landmarks
    report = {"shape key and armature": float(np.abs(plain - expected).max())}
    head.modifiers.new("more", "SUBSURF").levels = 1
    report["subdivision"] = float(np.abs(found()[0].landmarks - expected).max())
    hidden = head.vertex_groups.new(name="hidden")
    hidden.add([2, 3, 4, 12, 13], 1.0, "REPLACE")
    mask = head.modifiers.new("clothes", "MASK")
    mask.vertex_group, mask.invert_vertex_group = "hidden", True
    with_mask = found()[0].landmarks
    report["vertices left"] = len(head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.vertices)
    report["masked"] = float(np.abs(with_mask - expected)[[0, 8, 16, *range(17, 68)]].max())
    report["filled in"] = float(np.abs(with_mask - expected)[[2, 3, 4, 12, 13]].max())
    REPORT["deformed"] = report


def bone_rig(scene: bpy.types.Scene, head: bpy.types.Object) -> None:
    """One bone through the origin that turns the whole head by 0.3 about z."""
    rig = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("neck")
    bone.head, bone.tail = (0, 0, 0), (0, 0, 0.1)
    bpy.ops.object.mode_set(mode="OBJECT")
    head.vertex_groups.new(name="neck").add(list(range(len(head.data.vertices))), 1.0, "REPLACE")
    head.modifiers.new("rig", "ARMATURE").object = rig
    pose = rig.pose.bones["neck"]
    pose.rotation_mode = "XYZ"
    pose.rotation_euler = (0, 0.3, 0)  # a bone's y axis runs along it, here along the world's z


def left_out_or_kept() -> None:
    cases: dict[str, list[str]] = {}
    scene, head, camera = built()
    cases["in view"] = names()
    for label, turn in (("turned 60 degrees", 60), ("turned 100 degrees", 100), ("turned away", 180)):
        head.rotation_euler.z = math.radians(turn)
        bpy.context.view_layer.update()
        cases[label] = names()
    head.rotation_euler.z = 0
    for label, place in (
        ("outside", (0.6, 0, 0)),
        ("half outside", (0.27, 0, 0)),
        ("behind the camera", (0, -2, 0)),
        ("far away", (0, 60, 0)),
    ):
        head.location = place
        bpy.context.view_layer.update()
        cases[label] = names()
    head.location = (0, 0, 0)
    wall = heads.screen(scene, -1, 1)
    cases["behind a wall"] = names()
    wall.hide_render = True
    cases["behind a wall that is not rendered"] = names()
    cases["the same in the viewport"] = names(rendered=False)
    wall.hide_render = False
    wall.display_type = "WIRE"
    cases["behind a cage"] = names()
    wall.display_type = "TEXTURED"
    wall.visible_camera = False
    cases["behind a light blocker"] = names()
    bpy.data.objects.remove(wall)
    wall = heads.screen(scene, -1, 0.0)
    cases["half covered"] = names()
    camera.data.type, camera.data.ortho_scale = "ORTHO", 0.5
    cases["half covered, orthographic"] = names()
    bpy.data.objects.remove(wall)
    heads.screen(scene, -1, 1)
    cases["behind a wall, orthographic"] = names()
    camera.data.type = "PERSP"
    head.hide_render = True
    cases["hidden head"] = names()
    REPORT["cases"] = cases


def copies() -> None:
    """A linked duplicate, a mirrored one, and a collection instance."""
    scene, head, camera = built()
    camera.location.y = -2.0
    camera.data.lens = 60.0
    alone = found()[0].landmarks
    head.scale.x = -1.0
    bpy.context.view_layer.update()
    # The face is symmetric: in a mirror every landmark stays, if left and right are named anew.
    REPORT["mirrored"] = [float(np.abs(hint.landmarks - alone).max()) for hint in found()]
    head.scale.x = 1.0
    twin = head.copy()
    twin.name, twin.location = "Twin", (0.3, 0.1, 0)
    scene.collection.objects.link(twin)
    crowd = bpy.data.collections.new("crowd")
    crowd.objects.link(head)
    empty = bpy.data.objects.new("empty", None)
    empty.instance_type, empty.instance_collection = "COLLECTION", crowd
    empty.location = (-0.3, 0.2, 0)
    scene.collection.objects.link(empty)
    bpy.context.view_layer.update()
    REPORT["copies"] = names()


def viewport_matrices() -> None:
    """The current view of a 3D viewport instead of a camera."""
    _, _, camera = built()
    scene = bpy.context.scene
    depsgraph = bpy.context.evaluated_depsgraph_get()
    through_camera = camera_view(scene, depsgraph, camera, 320, 240)
    view = View.of_matrices(through_camera.world_to_view, through_camera.projection)
    hints = faces_in_view(depsgraph, view, 320, 240)
    REPORT["viewport_matrices"] = float(np.abs(hints[0].landmarks - found()[0].landmarks).max())
    camera.data.type = "PANO"
    REPORT["panorama"] = camera_view(scene, depsgraph, camera, 320, 240) is None


def makehuman() -> None:
    """A body with joints only, and one with all vertices of the base mesh, helpers hidden by a mask."""
    scene, head, camera = built()
    bpy.data.objects.remove(head)
    expected = heads.projected(heads.landmark_positions(), camera, scene)
    joints = {name: np.array(place) * heads.EYE_DISTANCE for name, place in hm08.JOINTS.items()}
    cubes = {name: (place[0], -place[2], place[1]) for name, place in joints.items()}
    body = _body([corner for place in cubes.values() for corner in _cube(place)], scene, "Joints")
    for row, name in enumerate(cubes):
        body.vertex_groups.new(name=name).add(list(range(row * 8, row * 8 + 8)), 1.0, "REPLACE")
    joints_only = found()
    bpy.data.objects.remove(body)
    points = np.tile(np.array([0.0, 0.2, 0.0]), (hm08.VERTEX_COUNT, 1))
    points[list(hm08.LANDMARK_VERTICES)] = heads.landmark_positions()
    body = _body(points.tolist(), scene, "Body")
    for name in ("joint-r-eye", "joint-l-eye"):
        body.vertex_groups.new(name=name).add([19000, 19001], 1.0, "REPLACE")
    body.vertex_groups.new(name="body").add(list(range(13380)), 1.0, "REPLACE")
    body.vertex_groups.new(name="delete").add([10, 11, *range(6000, 6100)], 1.0, "REPLACE")
    hidden = body.modifiers.new("Hide helpers", "MASK")
    hidden.vertex_group = "body"
    deleted = body.modifiers.new("Delete", "MASK")
    deleted.vertex_group, deleted.invert_vertex_group = "delete", True
    whole = found()
    REPORT["makehuman"] = {
        "joints": [joints_only[0].name, float(np.abs(joints_only[0].landmarks - expected).max())],
        "body": [whole[0].name, float(np.abs(whole[0].landmarks - expected).max())],
    }


def _body(points: list, scene: bpy.types.Scene, name: str) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(points, [], [])
    body = bpy.data.objects.new(name, mesh)
    scene.collection.objects.link(body)
    return body


def _cube(centre: tuple[float, float, float]) -> list[tuple[float, float, float]]:
    x, y, z = centre
    return [(x + i, y + j, z + k) for i in (-1e-3, 1e-3) for j in (-1e-3, 1e-3) for k in (-1e-3, 1e-3)]


for step in (
    cameras, dot_in_a_render, cropped_region, deformed, left_out_or_kept, copies, viewport_matrices, makehuman
):  # fmt: skip
    step()
addon_parts.write_report(REPORT)
