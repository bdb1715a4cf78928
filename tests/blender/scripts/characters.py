# SPDX-License-Identifier: GPL-3.0-or-later
"""A character as people have them: landmarks, expressions, a head bone. Runs inside Blender."""

from __future__ import annotations

import math

import bpy
import heads
import scenes


def build_character() -> bpy.types.Object:
    """The head in a new file, twice life size, turned and moved: nothing may depend on the scene's axes or unit."""
    scene = scenes.empty_scene(48, 32)
    head = heads.add_head(scene)
    heads.portrait_camera(scene)
    head.shape_key_add(name="Basis")
    for name in ("id_mouth_width", "smileLeft", "smileRight", "jawOpen"):
        key = head.shape_key_add(name=name)
        for index in range(48, 68):
            key.data[index].co.z -= 0.01
    rig = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    scene.collection.objects.link(rig)
    bpy.context.view_layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    bone = rig.data.edit_bones.new("DEF-head")
    bone.head, bone.tail = (0, 0.05, -0.1), (0, 0.05, 0)
    bpy.ops.object.mode_set(mode="OBJECT")
    head.vertex_groups.new(name="DEF-head").add(list(range(len(head.data.vertices))), 1.0, "REPLACE")
    head.modifiers.new("rig", "ARMATURE").object = rig
    head.scale = rig.scale = (2.0, 2.0, 2.0)
    rig.rotation_euler.z = head.rotation_euler.z = math.radians(200.0)
    rig.location = head.location = (3.0, 1.0, 2.0)
    bpy.context.view_layer.update()
    return head
