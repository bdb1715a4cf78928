# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: starts the backend, says so, answers whether it still is there, and ends when its input ends."""

import sys

import addon
import bpy

addon.enable()
bpy.ops.lifelike.start_backend(wait=True)

from bl_ext.user_default.lifelike.backend import THE_BACKEND  # noqa: E402 (only there once enabled)

addon.tell(backend=THE_BACKEND.pid)
for line in sys.stdin:
    THE_BACKEND.poll()
    addon.tell(asked=line.strip(), state=THE_BACKEND.state.name)
