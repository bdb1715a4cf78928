# SPDX-License-Identifier: GPL-3.0-or-later
"""Cancel the picture being worked on."""

from __future__ import annotations

import bpy

from ..backend import THE_BACKEND
from ..polling import redraw


class LIFELIKE_OT_cancel(bpy.types.Operator):
    """Stop working on the picture; nothing is changed"""

    bl_idname = "lifelike.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not THE_BACKEND.busy:
            cls.poll_message_set("No picture is being worked on")
        return THE_BACKEND.busy

    def execute(self, context: bpy.types.Context) -> set[str]:
        THE_BACKEND.cancel()
        redraw()
        return {"FINISHED"}


CLASSES = (LIFELIKE_OT_cancel,)
