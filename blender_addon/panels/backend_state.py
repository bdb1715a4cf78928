# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's state: one line, the progress bar of a picture, and for a failure the button that mends it."""

from __future__ import annotations

import bpy

from lifelike_protocol.messages import Stage

from ..backend import THE_BACKEND, BackendState, Failure, Mend
from ..jobs import Job
from .wrapped_text import draw_text

STAGE_TEXT = {
    Stage.QUEUED: "Waiting",
    Stage.LOADING: "Loading the model",
    Stage.LOCATE: "Finding the faces",
    Stage.ALIGN: "Aligning the face",
    Stage.INVERT: "Reading the face",
    Stage.TRANSFER: "Making the photograph",
    Stage.COMPOSITE: "Putting it back",
}
_ICONS = {
    BackendState.STOPPED: "RADIOBUT_OFF",
    BackendState.STARTING: "SORTTIME",
    BackendState.READY: "CHECKMARK",
    BackendState.WORKING: "SHADERFX",
    BackendState.FAILED: "CANCEL",
}
_MEND_TEXT = {
    Mend.RESTART: ("Restart Backend", "FILE_REFRESH"),
    Mend.PREFERENCES: ("Open Preferences", "PREFERENCES"),
    Mend.LOG: ("Open Log", "TEXT"),
}


def draw_backend_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """One line with the state and the buttons that make sense in it; below it why, when it failed."""
    state = THE_BACKEND.state
    row = layout.row(align=True)
    row.label(text=_headline(state), icon=_ICONS[state])
    if state is BackendState.STOPPED:
        row.operator("lifelike.start_backend", text="", icon="PLAY")
    elif state is not BackendState.FAILED:
        row.operator("lifelike.stop_backend", text="", icon="SNAP_FACE")
    row.operator("lifelike.open_log", text="", icon="TEXT")
    if context.space_data is None or context.space_data.type != "PREFERENCES":
        row.operator("lifelike.open_preferences", text="", icon="PREFERENCES")
    if THE_BACKEND.failure is not None:
        draw_failure(layout, context, THE_BACKEND.failure)


def draw_progress(layout: bpy.types.UILayout, job: Job) -> None:
    """A bar with the stage's name, and the button that cancels."""
    row = layout.row(align=True)
    row.scale_y = 1.6
    if THE_BACKEND.state is BackendState.STARTING:
        text = "Starting the backend"
    elif job.queue_position:
        text = f"Waiting, {job.queue_position} before this"
    elif job.inversion_error is not None:
        text = f"Looking closer, {job.inversion_error:.1%} off  {job.fraction:.0%}"
    else:
        text = f"{STAGE_TEXT[job.stage]}  {job.fraction:.0%}"
    row.progress(factor=job.fraction, text=text, type="BAR")
    row.operator("lifelike.cancel", text="", icon="X")


def draw_failure(layout: bpy.types.UILayout, context: bpy.types.Context, failure: Failure) -> None:
    """What happened, what to do, and the button that does it."""
    box = layout.box()
    draw_text(box, context, failure.error.what, icon="ERROR")
    if failure.error.remedy:
        draw_text(box, context, failure.error.remedy, icon="BLANK1")
    if failure.mend is not Mend.NONE:
        text, icon = _MEND_TEXT[failure.mend]
        button = box.operator(f"lifelike.{failure.mend.value}", text=text, icon=icon)
        if failure.mend is Mend.RESTART:
            button.restart = True


def _headline(state: BackendState) -> str:
    if state is BackendState.READY and THE_BACKEND.status is not None:
        return f"Backend: ready on {THE_BACKEND.status.device}"
    return f"Backend: {state.value.lower()}"
