# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: the backend is killed while it works on a picture; then it is started again and works."""

import os
import signal

import addon
import bpy

addon.enable()
from bl_ext.user_default.lifelike import api  # noqa: E402
from bl_ext.user_default.lifelike.backend import THE_BACKEND  # noqa: E402
from bl_ext.user_default.lifelike.jobs import JobState  # noqa: E402
from bl_ext.user_default.lifelike.request import Request  # noqa: E402

bpy.ops.lifelike.start_backend(wait=True)
image = bpy.data.images.new("Grid", 512, 512)
image.generated_type = "COLOR_GRID"
request = Request.from_scene(bpy.context.scene, source="IMAGE", image="Grid")

job = api.begin(bpy.context, request)
addon.until(lambda: job.state is not JobState.WAITING)
os.kill(THE_BACKEND.pid, signal.SIGSTOP)  # so that it cannot finish first
THE_BACKEND.poll(wait=0.2)
assert not job.state.over, f"too late to kill: {job.state}"
os.kill(THE_BACKEND.pid, signal.SIGKILL)
addon.until(lambda: job.state.over, seconds=10.0)
addon.tell(
    job=job.state.name,
    error=job.error.code.value,
    what=job.error.what,
    backend=THE_BACKEND.state.name,
    mend=THE_BACKEND.failure.mend.value,
)

bpy.ops.lifelike.start_backend(restart=True, wait=True)
addon.tell(again=THE_BACKEND.state.name)
try:
    bpy.ops.lifelike.make_realistic(source="IMAGE", image="Grid")
except RuntimeError as error:  # a grid has no face: that is the new backend's own answer
    addon.tell(answer=str(error))
