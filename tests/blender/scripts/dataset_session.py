# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot taken from Blender's own Python, in the person's open file: what it leaves behind."""

from __future__ import annotations

from pathlib import Path

import addon_parts
import bpy
import scenes
from characters import build_character
from lifelike_addon.dataset.shoot import Studio, shoot

from lifelike_protocol.shots import ShotSettings

head = build_character()
scene, rig = bpy.context.scene, bpy.data.objects["rig"]


def state() -> dict[str, object]:
    return scenes.scene_state(scene) | {
        "camera": scene.camera.name,
        "world": scene.world.name if scene.world else "",
        "keys": [key.value for key in head.data.shape_keys.key_blocks],
        "bone": [list(row) for row in rig.pose.bones["DEF-head"].matrix_basis],
        "lights": [item.hide_render for item in scene.objects if item.type == "LIGHT"],
        "data": sorted(item.name for kind in ("cameras", "lights", "worlds") for item in getattr(bpy.data, kind)),
    }


before = state()
settings = ShotSettings(resolution=32, samples=1, expressive=1.0)
shot = shoot(Studio(scene, settings), 3, Path.cwd())
addon_parts.write_report({"changed": scenes.changes(before, state()), "shot": shot})
