# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: the operator on an image from disk, of which no face is known beforehand.

Arguments: the picture, and the file that the packed result goes to.
"""

import sys
from pathlib import Path

import addon
import bpy

addon.enable()
image = bpy.data.images.load(sys.argv[-2])
image.name = "Portrait"
bpy.ops.lifelike.make_realistic(source="IMAGE", image="Portrait")
result = bpy.data.images["Lifelike Portrait"]
Path(sys.argv[-1]).write_bytes(result.packed_file.data)

from bl_ext.user_default.lifelike.outcome import LAST_RUN  # noqa: E402

addon.tell(size=list(result.size), faces=len(LAST_RUN.outcome.faces), space=result.colorspace_settings.name)
