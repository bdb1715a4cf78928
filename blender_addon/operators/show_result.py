# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the last result in an Image Editor."""

from __future__ import annotations

import bpy

from ..outcome import LAST_RUN


class LIFELIKE_OT_show_result(bpy.types.Operator):
    """Show the last result in an Image Editor, opening one if there is none"""

    bl_idname = "lifelike.show_result"
    bl_label = "Show Result"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not bpy.app.background and LAST_RUN.outcome is not None and LAST_RUN.outcome.image is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        image = LAST_RUN.outcome.image
        editors = list(_open_editors(context))
        if not editors:
            bpy.ops.wm.window_new()
            area = context.window_manager.windows[-1].screen.areas[0]
            area.type = "IMAGE_EDITOR"
            editors = [area.spaces.active]
        editors[0].image = image
        return {"FINISHED"}


def show_in_open_editors(context: bpy.types.Context, image: bpy.types.Image, replacing: str) -> None:
    """Shows `image` in the Image Editors that are empty, or show the render, the source or a result before.

    An editor that shows anything else, or is pinned, is somebody's work and stays as it is.
    """
    for space in _open_editors(context):
        shown = space.image
        if not space.use_image_pin and (
            shown is None or shown.type in {"RENDER_RESULT", "COMPOSITING"} or shown.name in {replacing, image.name}
        ):
            space.image = image


def _open_editors(context: bpy.types.Context):
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR" and area.ui_type == "IMAGE_EDITOR":
                yield area.spaces.active


CLASSES = (LIFELIKE_OT_show_result,)
