# SPDX-License-Identifier: GPL-3.0-or-later
"""Start the backend, also after it failed."""

from __future__ import annotations

import bpy

from lifelike_protocol.errors import LifelikeError

from .. import preferences
from ..backend import THE_BACKEND
from ..outcome import LAST_RUN
from ..polling import keep_polling, redraw


class LIFELIKE_OT_start_backend(bpy.types.Operator):
    """Start the backend, the separate program that does the work"""

    bl_idname = "lifelike.start_backend"
    bl_label = "Start Backend"

    restart: bpy.props.BoolProperty(
        name="Restart", description="End a running backend first", default=False, options={"SKIP_SAVE"}
    )
    wait: bpy.props.BoolProperty(
        name="Wait", description="Return when the backend is ready, for scripts", default=False, options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        options = preferences.backend_options(context)
        try:
            if self.restart:
                THE_BACKEND.stop(wait=False)
            THE_BACKEND.start(options)
            LAST_RUN.forget()
            if self.wait:
                THE_BACKEND.wait_until_ready(options.start_timeout + 10.0)
        except LifelikeError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            keep_polling()
            redraw()
        return {"FINISHED"}


CLASSES = (LIFELIKE_OT_start_backend,)
