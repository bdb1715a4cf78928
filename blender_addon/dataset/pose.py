# SPDX-License-Identifier: GPL-3.0-or-later
"""Poses: the head bone of an armature turned a little, and frames of an animation."""

from __future__ import annotations

import math
import random
import re

import bpy
from mathutils import Matrix, Quaternion

from lifelike_protocol.shots import ShotSettings

from .borrowed import Borrowed
from .crop import FaceFrame
from .expression import curves_of

# What rigs put before or after the name: "mixamorig:Head", "DEF-head", "CC_Base_Head", "head.x", "Head_M", "spine.006"
# of Rigify is left alone, since it need not be the head.
_AFFIX = re.compile(r"^(mixamorig\d*:|def[-_]|org[-_]|cc_base_|bip\d*[ _]|j_bip_c_|c_)|([._]x|_m|[._ ]?0*1)$", re.I)


def draw_frame(scene: bpy.types.Scene, settings: ShotSettings, dice: random.Random, lent: Borrowed) -> int:
    """Goes to a frame of the range asked for, or of the scene's own where something in it moves; returns it."""
    wanted = settings.frames
    if wanted is None and is_animated(scene):
        wanted = scene.frame_start, scene.frame_end
    if wanted is not None and wanted[0] <= wanted[1]:
        lent.show_frame(scene, dice.randint(*wanted))
    return int(scene.frame_current)


def is_animated(scene: bpy.types.Scene) -> bool:
    """Whether an object of the scene, its armature's bones or its shape keys have animation."""
    for item in scene.objects:
        shapes = getattr(item.data, "shape_keys", None) if item.data else None
        for owner in (item, item.data, shapes):
            data = getattr(owner, "animation_data", None)
            if data is not None and (data.action is not None or len(data.nla_tracks) > 0):
                return True
    return False


def draw_turn(
    head: bpy.types.Object | None, face: FaceFrame, settings: ShotSettings, dice: random.Random, lent: Borrowed
) -> dict[str, float]:
    """Turns the head's bone about the face's own axes; returns the degrees, or nothing where there is no such bone.

    Args:
        head: the object with the face; its armature is the one asked.
    """
    drawn = {
        name: dice.uniform(-most, most) for name, most in zip(("yaw", "pitch", "roll"), settings.head_turn, strict=True)
    }
    found = head_bone(head) if head is not None and any(settings.head_turn) else None
    if found is None:
        return {}
    rig, bone = found
    turn = (
        Quaternion(face.up, math.radians(drawn["yaw"]))
        @ Quaternion(face.right, -math.radians(drawn["pitch"]))
        @ Quaternion(face.ahead, math.radians(drawn["roll"]))
    )
    before = bone.matrix_basis.copy()
    lent.afterwards(lambda: setattr(bone, "matrix_basis", before))
    to_rig = rig.matrix_world.inverted().to_3x3().normalized()
    about = (to_rig @ turn.to_matrix() @ to_rig.inverted()).to_4x4()
    joint = Matrix.Translation(bone.head)
    bone.matrix = joint @ about @ joint.inverted() @ bone.matrix
    bpy.context.view_layer.update()
    return {name: round(value, 3) for name, value in drawn.items()}


def head_bone(head: bpy.types.Object) -> tuple[bpy.types.Object, bpy.types.PoseBone] | None:
    """The armature that moves this object and its bone called head, else neck, if it is free to be turned."""
    rig = _armature_of(head)
    if rig is None or rig.library:
        return None
    driven = {curve.data_path for curve in curves_of(rig)}
    for wanted in ("head", "neck"):
        for bone in rig.pose.bones:
            name = _AFFIX.sub("", bone.name).lower()
            taken = any(path.startswith(f'pose.bones["{bone.name}"]') for path in driven)
            if name == wanted and not taken and not any(c.enabled for c in bone.constraints):
                return rig, bone
    return None


def _armature_of(item: bpy.types.Object) -> bpy.types.Object | None:
    for modifier in item.modifiers:
        if modifier.type == "ARMATURE" and modifier.object is not None and modifier.show_render:
            return modifier.object
    if item.parent is not None and item.parent.type == "ARMATURE":
        return item.parent
    return None
