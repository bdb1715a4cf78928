# SPDX-License-Identifier: GPL-3.0-or-later
"""What every one of the add-on's panels shows, drawn by one function."""

from __future__ import annotations

import bpy

from ..backend import THE_BACKEND
from ..properties import BUILT_IN, is_source
from .backend_state import draw_backend_state, draw_progress
from .last_result import draw_last_result
from .wrapped_text import draw_text

ABOUT_BUILT_IN = (
    "The built-in model is small and was trained on synthetic heads: good for trying, not for final pictures."
)


def draw_make_realistic(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button or the progress bar, the settings, the last result, and the backend's state."""
    settings = context.scene.lifelike
    if THE_BACKEND.job is not None and THE_BACKEND.busy:
        draw_progress(layout, THE_BACKEND.job)
    else:
        row = layout.row()
        row.scale_y = 1.6
        row.operator("lifelike.make_realistic", icon="SHADERFX")

    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.active = not THE_BACKEND.busy
    _draw_source(column, context, settings)
    _draw_outputs(column, settings)
    column.prop(settings, "strength", slider=True)
    _draw_inversion(layout, settings)
    _draw_advanced(layout, context, settings)
    draw_last_result(layout, context)
    layout.separator(type="LINE")
    draw_backend_state(layout, context)


def _draw_source(layout: bpy.types.UILayout, context: bpy.types.Context, settings: bpy.types.PropertyGroup) -> None:
    layout.prop(settings, "source")
    shown = getattr(context.space_data, "image", None)
    if shown is not None and not is_source(shown, settings):
        layout.operator("lifelike.use_shown_image", icon="EYEDROPPER")
    if settings.source == "VIEWPORT":
        layout.prop(settings, "viewpoint")
    elif settings.source == "IMAGE":
        layout.prop(settings, "image")


def _draw_outputs(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    column = layout.column(align=True)
    column.prop(settings, "outputs", expand=False)
    if "TEXTURE" in settings.outputs:
        layout.prop(settings, "texture_object")


def _draw_inversion(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("lifelike_inversion", default_closed=True)
    header.label(text="Inversion")
    if body is None:
        return
    column = body.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "refine")
    column.prop(settings, "tune")
    restored = column.column(align=True)
    # The difference keeps all of the input, so there is nothing to bring back.
    restored.active = settings.method != "difference"
    restored.label(text="Restore from the Input")
    for name in ("restore_iris", "restore_skin", "restore_background", "restore_accessories"):
        restored.prop(settings, name, slider=True)


def _draw_advanced(layout: bpy.types.UILayout, context: bpy.types.Context, settings: bpy.types.PropertyGroup) -> None:
    header, body = layout.panel("lifelike_advanced", default_closed=True)
    header.label(text="Advanced")
    if body is not None:
        column = body.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "bundle", icon="PACKAGE")
        column.prop(settings, "method")
        if settings.source == "RENDER":
            column.prop(settings, "colours")
    if settings.bundle == BUILT_IN:
        draw_text(layout, context, ABOUT_BUILT_IN, icon="INFO")
