# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions by shape keys."""

from __future__ import annotations

import random
import re

import bpy

from lifelike_protocol.shots import ShotSettings

from .borrowed import Borrowed

# Names in MakeHuman, ARKit, VRM, Daz, Reallusion and in people's own files: emotions and moving parts of the face.
_EXPRESSION = re.compile(
    r"smil|smirk|laugh|grin|frown|sad|ang(e)?r|happy|joy|fun\b|surpris|fear|disgust|sneer|snarl|scorn|worr|sorrow"
    r"|pout|puck|kiss|funnel|squint|blink|wink|brow|jaw[_ ]?(open|left|right|forward)|mouth[_ ]?(open|close|left"
    r"|right|smile|frown|stretch|press|roll|shrug|upper|lower|dimple|corner)|open[_ ]?mouth|lips?[_ ]?(part|press|suck)"
    r"|cheek[_ ]?(puff|raise|squint|suck)|nose[_ ]?wrinkl|eyes?[_ ]?(wide|clos|shut|look|squint)|look[_ ]?(left|right"
    r"|up|down)|viseme",
    re.IGNORECASE,
)
# Shapes of a person or of the rig, whatever else the name says ("mouth_width", "eyebrows-angle incr").
_NOT_EXPRESSION = re.compile(
    r"^(id|co|basis|body|pbm|phm)[_ -]|width|height|size|thick|length|scale|depth|shape|angle|age|gender|weight"
    r"|corrective|tongue|teeth|fix|helper",
    re.IGNORECASE,
)
_SIDE = re.compile(r"(?<=[a-z_.\- ])(left|right|Left|Right|[LR])$|(?<=[_.\- ])([lr])$")
_OTHER = {"left": "right", "right": "left", "Left": "Right", "Right": "Left", "L": "R", "R": "L", "l": "r", "r": "l"}
_ONE_SIDED = re.compile(r"wink|smirk|look", re.IGNORECASE)
_ASIDE = 0.3
"""Strength, as a share of its own, of an expression beside the main one; several strong ones break lips and lids."""


def draw_expression(
    scene: bpy.types.Scene, settings: ShotSettings, dice: random.Random, lent: Borrowed
) -> dict[str, float]:
    """Sets shape keys: one strong expression, sometimes a weak second; returns what was set, by name."""
    names = expression_keys(scene, settings.expressions)
    if not names or dice.random() >= settings.expressive:
        return {}
    chosen = {dice.choice(names): dice.uniform(*settings.expression)}
    if len(names) > 1 and dice.random() < 0.3:
        chosen.setdefault(dice.choice(names), dice.uniform(*settings.expression) * _ASIDE)
    levels: dict[str, float] = {}
    for name, level in chosen.items():
        levels[name] = level
        other = mirrored_name(name)
        if other in names and not _ONE_SIDED.search(name):
            levels[other] = level
    for keys in _free_keys(scene):
        for name, level in levels.items():
            if name in keys:
                lent.set(keys[name], "value", level * keys[name].slider_max)
    bpy.context.view_layer.update()
    return {name: round(level, 4) for name, level in sorted(levels.items())}


def expression_keys(scene: bpy.types.Scene, pattern: str = "") -> list[str]:
    """Names of the shape keys that make expressions and are free to be set, sorted."""
    wanted = re.compile(pattern, re.IGNORECASE) if pattern else None
    names = {name for keys in _free_keys(scene) for name in keys}
    if wanted:
        return sorted(name for name in names if wanted.search(name))
    return sorted(name for name in names if _EXPRESSION.search(name) and not _NOT_EXPRESSION.search(name))


def mirrored_name(name: str) -> str:
    """The same key of the face's other side, or "" where the name has no side."""
    side = _SIDE.search(name)
    return name[: side.start()] + _OTHER[side.group()] if side else ""


def _free_keys(scene: bpy.types.Scene) -> list[dict[str, bpy.types.ShapeKey]]:
    """Each mesh's keys that no driver or animation would set anew."""
    found = []
    seen = set()
    for item in scene.objects:
        shapes = item.data.shape_keys if item.type == "MESH" else None
        if shapes is None or not shapes.use_relative or shapes.name_full in seen or shapes.library:
            continue
        seen.add(shapes.name_full)
        taken = _animated_paths(shapes)
        reference = shapes.reference_key.name
        found.append(
            {
                key.name: key
                for key in shapes.key_blocks
                if key.name != reference and not key.mute and f'key_blocks["{key.name}"].value' not in taken
            }
        )
    return found


def _animated_paths(owner: bpy.types.ID) -> set[str]:
    return {curve.data_path for curve in curves_of(owner)}


def curves_of(owner: bpy.types.ID) -> list[bpy.types.FCurve]:
    """Drivers and animation curves of a data block."""
    data = owner.animation_data
    if data is None:
        return []
    curves = list(data.drivers)
    if data.action is not None:
        curves += _action_curves(data.action)
    return curves


def _action_curves(action: bpy.types.Action) -> list[bpy.types.FCurve]:
    # From 5.0 on curves live in an action's layers only.
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    return [
        curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves
    ]
