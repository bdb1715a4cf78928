# SPDX-License-Identifier: GPL-3.0-or-later
"""The timer on Blender's main thread that takes in the backend's news and redraws the panels."""

from __future__ import annotations

import bpy

from .backend import THE_BACKEND, BackendState
from .outcome import LAST_RUN

_EVERY = {BackendState.STARTING: 0.2, BackendState.WORKING: 0.1, BackendState.READY: 1.0}
"""Seconds between two looks; in the other states there is nothing to look at."""
_drawn: tuple[object, ...] = ()
_REDRAWN = {"VIEW_3D", "IMAGE_EDITOR", "PROPERTIES", "PREFERENCES"}


def keep_polling() -> None:
    """Makes sure that the timer runs while there is a backend; headless Blender has no timers."""
    if bpy.app.background:
        return
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)  # it may be sleeping longer than the new state allows
    bpy.app.timers.register(_tick, first_interval=0.1, persistent=True)


def stop_polling() -> None:
    """Ends the timer."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)


def redraw() -> None:
    """Draws every editor anew that shows the state."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _REDRAWN:
                area.tag_redraw()


def _tick() -> float | None:
    global _drawn
    THE_BACKEND.poll()
    now = _what_is_drawn()
    if now != _drawn:  # an operator may have taken the news in before this timer
        _drawn = now
        redraw()
    return _EVERY.get(THE_BACKEND.state)


def _what_is_drawn() -> tuple[object, ...]:
    job = THE_BACKEND.job
    progress = (job.state, job.stage, job.fraction, job.queue_position, job.inversion_error) if job else ()
    return (THE_BACKEND.state, THE_BACKEND.failure, LAST_RUN.outcome, LAST_RUN.failure, *progress)
