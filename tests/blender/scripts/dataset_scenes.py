# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes for `lifelike dataset render`: a head with landmarks, expressions, a neck and a script; and broken ones."""

from __future__ import annotations

import math
from pathlib import Path

import addon_parts
import bpy
import scenes
from characters import build_character
from lifelike_addon.dataset.expression import expression_keys, mirrored_name

HERE = Path.cwd()
SCRIPT = """
import bpy, pathlib
pathlib.Path(bpy.data.filepath).with_name("script_ran").write_text("yes")
def tint():
    return (0.0, 1.0, 0.0)
"""


def save(name: str) -> str:
    path = HERE / name
    bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=False)
    return str(path)


REPORT: dict[str, object] = {}
head = build_character()
text = bpy.data.texts.new("mine.py")
text.write(SCRIPT)
text.use_module = True  # what "Register" sets: Blender would run it on loading, were scripts allowed
REPORT["character"] = save("character.blend")
REPORT["keys"] = expression_keys(bpy.context.scene)
REPORT["mirrored"] = {name: mirrored_name(name) for name in ("smileLeft", "jawOpen", "mouthSmile_R", "brow.L", "frown")}

bpy.ops.mesh.primitive_uv_sphere_add(radius=0.5, location=head.location)
REPORT["walled in"] = save("walled_in.blend")

scene = scenes.empty_scene(48, 32)
REPORT["empty"] = save("empty.blend")
bpy.ops.mesh.primitive_cube_add()
scenes.add_camera(scene, location=(0, -6, 0), rotation=(math.pi / 2, 0, 0))
REPORT["cube"] = save("cube.blend")
addon_parts.write_report(REPORT)
