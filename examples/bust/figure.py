# SPDX-License-Identifier: GPL-3.0-or-later
"""The bust as Blender objects: head with shape keys and landmarks, eyes, hair, shirt and the bone that turns them."""

from __future__ import annotations

from dataclasses import dataclass
from math import radians

import bpy
import numpy as np
from mathutils import Euler, Vector

from .anatomy import features
from .clothing import build_shirt
from .colouring import skin_colours
from .distance import Array, smoothstep
from .ears import build_ears
from .expression import expression_keys
from .eyes import build_cornea, build_eyeball
from .hair import build_hair
from .hairs import build_brows, build_lashes
from .landmarks import landmark_vertices
from .materials import COLOUR_ATTRIBUTE, clear, coloured
from .parts import Part, merged
from .person import Person
from .skin import build_skin
from .teeth import build_teeth

METRES = 0.01
NECK = (0.0, 1.8, -9.0)
HEAD_BONE = "head"
CHEST_BONE = "chest"


@dataclass
class Figure:
    """The objects of one person. `head` carries the landmarks (vertex groups) and the expressions (shape keys)."""

    armature: bpy.types.Object
    head: bpy.types.Object
    eyes: list[bpy.types.Object]
    hair: bpy.types.Object | None
    shirt: bpy.types.Object


def build_figure(person: Person, collection: bpy.types.Collection) -> Figure:
    """Model `person` at the origin of `collection`: pupils at Z = 0, facing -Y, in metres."""
    armature = _armature(collection)
    head = _head(person, collection)
    _follow_bone(head, armature)
    eyes = _eyes(person, collection, armature)
    hair_parts = build_hair(person)
    hair = None
    if hair_parts:
        gloss = 0.75 if person.hair_style in ("buzz", "curly") else 0.46
        hair = _object("Hair", merged(hair_parts), [coloured("Hair", gloss)], collection)
        _follow_bone(hair, armature, hanging=True)
    shirt = _object("Shirt", build_shirt(person), [coloured("Cloth", 0.85, 0.2)], collection)
    figure = Figure(armature, head, eyes, hair, shirt)
    pose_figure(figure, person)
    return figure


def pose_figure(figure: Figure, person: Person) -> None:
    """Set expression, gaze and head turn (those of `person`) on a figure that exists."""
    levels = person.expression
    keys = figure.head.data.shape_keys.key_blocks
    for name in ("smile", "mouth_open", "brows_up", "blink"):
        keys[name].value = getattr(levels, name)
    for eye in figure.eyes:
        eye.rotation_euler = (radians(-levels.gaze_pitch), 0.0, radians(levels.gaze_yaw))
    bone = figure.armature.pose.bones[HEAD_BONE]
    turn = Euler((radians(-person.turn.pitch), radians(person.turn.roll), radians(person.turn.yaw)), "XYZ").to_matrix()
    rest = bone.bone.matrix_local.to_3x3()
    bone.rotation_mode = "QUATERNION"
    bone.rotation_quaternion = (rest.inverted() @ turn @ rest).to_quaternion()


def _object(
    name: str, part: Part, materials: list[bpy.types.Material], collection: bpy.types.Collection
) -> bpy.types.Object:
    """A smooth-shaded, coloured mesh object of a part."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata((part.vertices * METRES).tolist(), [], part.faces)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    colours = np.concatenate((np.clip(part.colours, 0.0, 1.0), np.ones((len(part.colours), 1))), axis=1)
    mesh.attributes.new(COLOUR_ATTRIBUTE, "FLOAT_COLOR", "POINT").data.foreach_set(
        "color", colours.astype(np.float32).ravel()
    )
    for material in materials:
        mesh.materials.append(material)
    item = bpy.data.objects.new(name, mesh)
    collection.objects.link(item)
    return item


def _head(person: Person, collection: bpy.types.Collection) -> bpy.types.Object:
    """Skin, ears, teeth, brows and lashes as one mesh with shape keys and landmark groups."""
    dice = np.random.default_rng(7)
    skin = build_skin(person)
    skin_part = Part(skin.vertices, skin.faces, skin_colours(person, skin), np.arange(len(skin.vertices)))
    groups = [
        [skin_part, *build_ears(person, skin)],
        build_teeth(skin),
        [*build_brows(person, skin, dice), *build_lashes(person, skin, dice)],
    ]
    whole = merged([part for group in groups for part in group])
    materials = [coloured("Skin", 0.46), coloured("Teeth", 0.2), coloured("Brows and lashes", 0.6, 0.2)]
    head = _object("Head", whole, materials, collection)
    sizes = [sum(len(part.faces) for part in group) for group in groups]
    head.data.polygons.foreach_set("material_index", np.repeat(np.arange(len(sizes)), sizes).astype(np.int32))
    head.shape_key_add(name="Basis", from_mix=False)
    anchored = whole.anchors >= 0
    for name, move in expression_keys(person, skin).items():
        places = whole.vertices.copy()
        places[anchored] += move[whole.anchors[anchored]]
        key = head.shape_key_add(name=name, from_mix=False)
        key.data.foreach_set("co", (places * METRES).astype(np.float32).ravel())
        key.slider_min, key.slider_max = 0.0, 1.0
    for number, vertex in enumerate(landmark_vertices(skin)):
        head.vertex_groups.new(name=f"lifelike_{number:02d}").add([vertex], 1.0, "REPLACE")
    return head


def _eyes(person: Person, collection: bpy.types.Collection, armature: bpy.types.Object) -> list[bpy.types.Object]:
    """Both eyeballs with their corneas, turning with the head bone."""
    eye = features(person).eye
    ball, cap = build_eyeball(person), build_cornea()
    both = merged([ball, cap])
    materials = [coloured("Eye", 0.22), clear("Cornea")]
    eyes = []
    for name, side in (("Eye left", 1.0), ("Eye right", -1.0)):
        item = _object(name, both, materials, collection)
        indices = np.repeat((0, 1), (len(ball.faces), len(cap.faces))).astype(np.int32)
        item.data.polygons.foreach_set("material_index", indices)
        item.parent, item.parent_type, item.parent_bone = armature, "BONE", HEAD_BONE
        place = Vector((eye[0] * side, eye[1], eye[2])) * METRES
        bone = armature.data.bones[HEAD_BONE]
        # A bone's children hang from its tail: undo that frame once, so that location and rotation are the head's.
        frame = bone.matrix_local.copy()
        frame.translation = bone.tail_local
        item.matrix_parent_inverse = frame.inverted()
        item.location = place
        eyes.append(item)
    return eyes


def _armature(collection: bpy.types.Collection) -> bpy.types.Object:
    """An armature with a still bone in the chest and one from the neck's turning point to the crown."""
    armature = bpy.data.objects.new("Neck", bpy.data.armatures.new("Neck"))
    collection.objects.link(armature)
    layer = bpy.context.view_layer
    layer.update()
    before = layer.objects.active
    layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    for name, low, high in ((CHEST_BONE, -20.0, 0.0), (HEAD_BONE, 0.0, 20.0)):
        bone = armature.data.edit_bones.new(name)
        bone.head = (Vector(NECK) + Vector((0.0, 0.0, low))) * METRES
        bone.tail = (Vector(NECK) + Vector((0.0, 0.0, high))) * METRES
    bpy.ops.object.mode_set(mode="OBJECT")
    layer.objects.active = before
    armature.hide_render = True
    return armature


def _follow_bone(item: bpy.types.Object, armature: bpy.types.Object, hanging: bool = False) -> None:
    """Weight every vertex to the bones: the head's fully on the head, fading into the chest's down the neck."""
    places = np.empty(len(item.data.vertices) * 3, np.float32)
    item.data.vertices.foreach_get("co", places)
    weights = _bone_weights(places.reshape(-1, 3) / METRES, hanging)
    # Blender scales a vertex's weights to a sum of 1, so the still chest takes what the head leaves.
    for name, share in ((HEAD_BONE, weights), (CHEST_BONE, 1.0 - weights)):
        group = item.vertex_groups.new(name=name)
        steps = np.round(share * 100).astype(int)
        for step in range(1, 101):
            group.add(np.flatnonzero(steps == step).tolist(), step / 100.0, "REPLACE")
    modifier = item.modifiers.new("Head turn", "ARMATURE")
    modifier.object = armature
    item.parent = armature


def _bone_weights(points: Array, hanging: bool) -> Array:
    """Share (0…1) of the head's turn a place takes part in; the chin hangs lower than the nape.

    Skin on the shoulders stays under the shirt; `hanging` hair goes with the head wherever it is.
    """
    level = points[:, 2] - np.interp(points[:, 1], (-9.0, -3.0, 6.0), (-4.5, -1.0, 0.0))
    if hanging:
        return np.asarray(smoothstep(-22.0, -10.0, level))
    shoulder = smoothstep(6.2, 8.0, np.abs(points[:, 0])) * smoothstep(-10.0, -12.0, points[:, 2])
    return np.asarray(smoothstep(-16.0, -9.0, level) * (1.0 - shoulder))
