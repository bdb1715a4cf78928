# SPDX-License-Identifier: GPL-3.0-or-later
"""The last result: the faces, how well each kept its identity, and what there is to say about them."""

from __future__ import annotations

import bpy

from lifelike_protocol.terms import terms_line

from ..backend import THE_BACKEND
from ..outcome import LAST_RUN, FaceOutcome, Outcome
from .backend_state import draw_failure
from .wrapped_text import draw_text


def draw_last_result(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Nothing before the first run; then its result, or why there is none."""
    if LAST_RUN.failure is not None and THE_BACKEND.failure is None:  # that one is drawn with the backend's state
        draw_failure(layout, context, LAST_RUN.failure)
    if LAST_RUN.outcome is None:
        return
    header, body = layout.panel("lifelike_last_result", default_closed=False)
    header.label(text="Last Result")
    if body is not None:
        _draw_outcome(body, context, LAST_RUN.outcome)


def _draw_outcome(layout: bpy.types.UILayout, context: bpy.types.Context, outcome: Outcome) -> None:
    image = outcome.image
    if image is not None:
        preview = image.preview_ensure()
        if preview is not None:
            layout.template_icon(icon_value=preview.icon_id, scale=7.0)
        layout.operator("lifelike.show_result", text=outcome.image_name, icon="IMAGE_DATA")
    column = layout.column(align=True)
    for number, face in enumerate(outcome.faces, start=1):
        _draw_face(column, context, face, number)
    for warning in outcome.warnings:
        draw_text(layout, context, warning, icon="ERROR")
    terms = terms_line(outcome.provenance) if outcome.provenance is not None else ""
    if terms:
        draw_text(layout, context, terms, icon="INFO")
    total = outcome.timings.get("total")
    if total is not None:
        layout.label(text=f"{total:.1f} s in the backend", icon="TIME")


def _draw_face(layout: bpy.types.UILayout, context: bpy.types.Context, face: FaceOutcome, number: int) -> None:
    row = layout.row()
    row.label(text=face.name or f"Face {number}", icon="USER")
    if face.identity_similarity is None:
        row.label(text="identity not measured")
    else:
        row.label(text=f"identity {face.identity_similarity:.2f}")
    for warning in face.warnings:
        draw_text(layout, context, warning, icon="ERROR")
