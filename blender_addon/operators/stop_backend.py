# SPDX-License-Identifier: GPL-3.0-or-later
"""Stop the backend."""

from __future__ import annotations

import bpy

from ..backend import THE_BACKEND
from ..polling import redraw


class LIFELIKE_OT_stop_backend(bpy.types.Operator):
    """Stop the backend and give its memory back"""

    bl_idname = "lifelike.stop_backend"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not THE_BACKEND.running:
            cls.poll_message_set("The backend is not running")
        return THE_BACKEND.running

    def execute(self, context: bpy.types.Context) -> set[str]:
        THE_BACKEND.stop(wait=bpy.app.background)
        redraw()
        return {"FINISHED"}


CLASSES = (LIFELIKE_OT_stop_backend,)
