# SPDX-License-Identifier: GPL-3.0-or-later
"""Take the image that an Image Editor shows as the source."""

from __future__ import annotations

import bpy


class LIFELIKE_OT_use_shown_image(bpy.types.Operator):
    """Work on the picture shown here"""

    bl_idname = "lifelike.use_shown_image"
    bl_label = "Use This Image"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return getattr(context.space_data, "image", None) is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        image, settings = context.space_data.image, context.scene.lifelike
        if image.type == "RENDER_RESULT":
            settings.source = "RENDER"
        else:
            settings.source, settings.image = "IMAGE", image
        return {"FINISHED"}


CLASSES = (LIFELIKE_OT_use_shown_image,)
