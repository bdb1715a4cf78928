# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the backend's log."""

from __future__ import annotations

import bpy

from lifelike_protocol import locations

_SHOWN = 200_000
"""Bytes of the log's end that are shown; the rest is in the file."""


class LIFELIKE_OT_open_log(bpy.types.Operator):
    """Show the end of the backend's log in a text editor"""

    bl_idname = "lifelike.open_log"
    bl_label = "Open Log"

    def execute(self, context: bpy.types.Context) -> set[str]:
        path = locations.log_file()
        try:
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - _SHOWN))
                said = file.read().decode("utf-8", "replace")
        except OSError:
            self.report({"WARNING"}, f"There is no log yet; it will be {path}")
            return {"CANCELLED"}
        if bpy.app.background:
            print(said)
            return {"FINISHED"}
        text = bpy.data.texts.get(path.name) or bpy.data.texts.new(path.name)
        text.from_string(f"{path}\n\n{said}")
        self._show(context, text)
        return {"FINISHED"}

    def _show(self, context: bpy.types.Context, text: bpy.types.Text) -> None:
        bpy.ops.wm.window_new()
        area = context.window_manager.windows[-1].screen.areas[0]
        area.type = "TEXT_EDITOR"
        area.spaces.active.text = text
        area.spaces.active.show_word_wrap = True
        text.cursor_set(len(text.lines) - 1)


CLASSES = (LIFELIKE_OT_open_log,)
