# SPDX-License-Identifier: GPL-3.0-or-later
"""Sentences in panels: Blender's labels neither wrap nor tell their width, so this does, roughly."""

from __future__ import annotations

import textwrap

import bpy

_LETTER = 6.6
"""Average width of a letter, in pixels at a scale of 1."""
_MARGIN = 56
"""Pixels at a scale of 1 that the panel's edges and the icon take."""


def draw_text(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draws `text` over as many lines as the region's width asks for; `icon` stands before the first."""
    scale = context.preferences.system.ui_scale
    width = (context.region.width if context.region else 300) / scale - _MARGIN
    lines = textwrap.wrap(text, max(20, int(width / _LETTER)))
    column = layout.column(align=True)
    column.scale_y = 0.85
    for number, line in enumerate(lines):
        if icon == "NONE":
            column.label(text=line)
        else:
            column.label(text=line, icon=icon if number == 0 else "BLANK1")
