# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: starts a backend that may be misconfigured and tells how that went."""

import addon
import bpy

addon.enable()
from bl_ext.user_default.lifelike.backend import THE_BACKEND  # noqa: E402

try:
    bpy.ops.lifelike.test_connection()
except RuntimeError as error:
    addon.tell(error=str(error))
addon.tell(
    state=THE_BACKEND.state.name,
    mend=THE_BACKEND.failure.mend.value if THE_BACKEND.failure else "",
)
