# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the add-on's preferences."""

from __future__ import annotations

import bpy

_ADDON = __package__.rpartition(".")[0]


class LIFELIKE_OT_open_preferences(bpy.types.Operator):
    """Show where the backend is and how it is started"""

    bl_idname = "lifelike.open_preferences"
    bl_label = "Open Preferences"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not bpy.app.background

    def execute(self, context: bpy.types.Context) -> set[str]:
        bpy.ops.preferences.addon_show(module=_ADDON)
        return {"FINISHED"}


CLASSES = (LIFELIKE_OT_open_preferences,)
