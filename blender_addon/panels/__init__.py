# SPDX-License-Identifier: GPL-3.0-or-later
"""The three places where the add-on shows itself; all of them draw the same."""

from __future__ import annotations

import bpy

from .make_realistic import draw_make_realistic


class _LifelikePanel:
    bl_label = "Lifelike"

    def draw(self, context: bpy.types.Context) -> None:
        draw_make_realistic(self.layout, context)


class LIFELIKE_PT_viewport(_LifelikePanel, bpy.types.Panel):
    """In the 3D viewport's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "Lifelike"


class LIFELIKE_PT_image_editor(_LifelikePanel, bpy.types.Panel):
    """In the Image Editor's sidebar."""

    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Lifelike"


class LIFELIKE_PT_render(_LifelikePanel, bpy.types.Panel):
    """In the Render properties."""

    bl_space_type = "PROPERTIES"
    bl_region_type = "WINDOW"
    bl_context = "render"


CLASSES = (LIFELIKE_PT_viewport, LIFELIKE_PT_image_editor, LIFELIKE_PT_render)
