# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the connection to the backend."""

from __future__ import annotations

import time

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError

from .. import preferences
from ..backend import THE_BACKEND
from ..polling import keep_polling, redraw


class LIFELIKE_OT_test_connection(bpy.types.Operator):
    """Start the backend if need be, ask what it is, and tell"""

    bl_idname = "lifelike.test_connection"
    bl_label = "Test Connection"

    _timer: bpy.types.Timer | None = None
    _answers = 0
    _deadline = 0.0

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        try:
            self._ask(context)
        except LifelikeError as error:
            return self._failed(error)
        keep_polling()
        self._timer = context.window_manager.event_timer_add(0.2, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER" or not self._answered():
            return {"PASS_THROUGH"}
        self.cancel(context)
        return self._tell()

    def execute(self, context: bpy.types.Context) -> set[str]:
        try:
            self._ask(context)
            while not self._answered():
                THE_BACKEND.poll(wait=0.1)
        except LifelikeError as error:
            return self._failed(error)
        finally:
            keep_polling()
        return self._tell()

    def cancel(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _ask(self, context: bpy.types.Context) -> None:
        options = preferences.backend_options(context)
        self._answers = THE_BACKEND.answers
        self._deadline = time.monotonic() + (15.0 if THE_BACKEND.status else options.start_timeout + 15.0)
        THE_BACKEND.start(options)
        THE_BACKEND.ask()

    def _answered(self) -> bool:
        """Whether there is anything to tell: an answer, a failure, or silence for too long."""
        return (
            THE_BACKEND.answers > self._answers
            or not THE_BACKEND.running
            or THE_BACKEND.busy  # it answers that picture's progress
            or time.monotonic() > self._deadline
        )

    def _tell(self) -> set[str]:
        redraw()
        if THE_BACKEND.failure is not None:
            return self._failed(THE_BACKEND.failure.error)
        if THE_BACKEND.answers == self._answers and not THE_BACKEND.busy and THE_BACKEND.running:
            return self._failed(LifelikeError(ErrorCode.TIMEOUT, "The backend does not answer.", "Restart it."))
        status = THE_BACKEND.status
        if status is None:
            self.report({"INFO"}, "The backend was stopped")
            return {"CANCELLED"}
        bundles = ", ".join(bundle.name for bundle in status.bundles) or "none"
        self.report({"INFO"}, f"The backend answers: process {status.pid} on {status.device}, bundles: {bundles}")
        return {"FINISHED"}

    def _failed(self, error: LifelikeError) -> set[str]:
        redraw()
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


CLASSES = (LIFELIKE_OT_test_connection,)
