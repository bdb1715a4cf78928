# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits of a scene's own characters, for data sets: random camera, light, expression and pose, FFHQ's crop.

`lifelike dataset render` runs `run.py` in a Blender of its own. From Python in any Blender:

    from bl_ext.user_default.lifelike.dataset.shoot import shoot
    shot = shoot(bpy.context.scene, ShotSettings(seed=3), number=0, folder=Path("/where/to"))

Nothing here imports torch, or anything that a bare Blender lacks.
"""
