# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's preferences: where the backend is and how it is started."""

from __future__ import annotations

import bpy

from lifelike_protocol.errors import LifelikeError

from .backend_process import BackendOptions, find_python
from .panels.backend_state import draw_backend_state

DEVICES = (
    ("auto", "Automatic", "The graphics card when there is one that fits, else the processor"),
    ("cpu", "CPU", "The processor"),
    ("cuda", "CUDA", "An NVIDIA graphics card"),
)


class LifelikePreferences(bpy.types.AddonPreferences):
    """Edit > Preferences > Add-ons > Lifelike."""

    bl_idname = __package__

    python: bpy.props.StringProperty(
        name="Backend",
        description="The backend's Python, or the folder of its environment; empty: as install.py set it up",
        subtype="FILE_PATH",
    )
    start_automatically: bpy.props.BoolProperty(
        name="Start Automatically", description="Start the backend when a picture is asked for", default=True
    )
    device: bpy.props.EnumProperty(
        name="Device", description="What the backend computes on; takes effect at its next start", items=DEVICES
    )
    timeout: bpy.props.IntProperty(
        name="Seconds a Picture", description="A picture that takes longer is given up", min=5, max=86400, default=600
    )
    start_timeout: bpy.props.IntProperty(
        name="Seconds to Start", description="A start that takes longer has failed", min=5, max=3600, default=180
    )

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        column = layout.column()
        column.prop(self, "python", placeholder=_placeholder(self.python))
        column.prop(self, "device")
        column.prop(self, "start_automatically")
        column.prop(self, "start_timeout")
        column.prop(self, "timeout")
        layout.separator()
        box = layout.box()
        draw_backend_state(box, context)
        row = box.row()
        row.operator("lifelike.test_connection", icon="LINKED")
        row.operator("lifelike.open_log", icon="TEXT")


def _placeholder(typed: str) -> str:
    """What an empty location stands for."""
    if typed:
        return ""
    try:
        return str(find_python())
    except LifelikeError:
        return "Not installed: run python3 install.py"


def of(context: bpy.types.Context) -> LifelikePreferences:
    """The preferences as they are set now."""
    return context.preferences.addons[__package__].preferences


def backend_options(context: bpy.types.Context) -> BackendOptions:
    """How the preferences say to start the backend."""
    preferences = of(context)
    return BackendOptions(
        python=bpy.path.abspath(preferences.python),
        device=preferences.device,
        start_timeout=float(preferences.start_timeout),
    )


CLASSES = (LifelikePreferences,)
