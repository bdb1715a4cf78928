# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: the extension is disabled while a picture is worked on, and enabled again."""

import addon
import bpy

addon.enable()
import addon_utils  # noqa: E402 (only there once bpy is)
from bl_ext.user_default.lifelike import api  # noqa: E402
from bl_ext.user_default.lifelike.backend import THE_BACKEND  # noqa: E402
from bl_ext.user_default.lifelike.jobs import JobState  # noqa: E402
from bl_ext.user_default.lifelike.request import Request  # noqa: E402

bpy.data.images.new("Grey", 512, 512)
bpy.ops.lifelike.start_backend(wait=True)
job = api.begin(bpy.context, Request.from_scene(bpy.context.scene, source="IMAGE", image="Grey"))
pid = THE_BACKEND.pid
addon_utils.disable(addon.ADDON)
addon.tell(
    backend=pid,
    cancelled=job.state is JobState.CANCELLED,
    left=hasattr(bpy.types.Scene, "lifelike") or hasattr(bpy.types, "LIFELIKE_PT_viewport"),
)
addon_utils.enable(addon.ADDON)
addon.tell(enabled_again=bpy.context.scene.lifelike.source)
