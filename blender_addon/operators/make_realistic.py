# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Realistic: the one thing this add-on is for."""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError

from .. import api
from ..backend import THE_BACKEND, Failure
from ..deliver.preview import ShownPreview
from ..jobs import Job
from ..outcome import LAST_RUN
from ..polling import keep_polling, redraw
from ..properties import COLOURS, METHODS, OUTPUTS, SOURCES, VIEWPOINTS, share, steps
from ..thumbnail import set_thumbnail
from .show_result import show_in_open_editors


class LIFELIKE_OT_make_realistic(bpy.types.Operator):
    """Turn every face of the picture into a photograph of the same person"""

    bl_idname = "lifelike.make_realistic"
    bl_label = "Make Realistic"
    bl_options: ClassVar[set[str]] = {"UNDO"}

    # Each one left alone comes from `scene.lifelike`.
    source: bpy.props.EnumProperty(name="Source", items=SOURCES, options={"SKIP_SAVE"})
    viewpoint: bpy.props.EnumProperty(name="Through", items=VIEWPOINTS, options={"SKIP_SAVE"})
    colours: bpy.props.EnumProperty(name="Colors", items=COLOURS, options={"SKIP_SAVE"})
    image: bpy.props.StringProperty(name="Image", options={"SKIP_SAVE"})
    outputs: bpy.props.EnumProperty(name="Outputs", items=OUTPUTS, options={"ENUM_FLAG", "SKIP_SAVE"})
    texture_object: bpy.props.StringProperty(name="Object", options={"SKIP_SAVE"})
    strength: bpy.props.FloatProperty(name="Strength", min=0.0, max=1.0, options={"SKIP_SAVE"})
    bundle: bpy.props.StringProperty(name="Bundle", options={"SKIP_SAVE"})
    method: bpy.props.EnumProperty(name="Method", items=METHODS, options={"SKIP_SAVE"})
    refine: steps("Refine", "", options={"SKIP_SAVE"})
    tune: steps("Tune", "", options={"SKIP_SAVE"})
    restore_iris: share("Irises", "", options={"SKIP_SAVE"})
    restore_skin: share("Skin", "", options={"SKIP_SAVE"})
    restore_background: share("Background", "", options={"SKIP_SAVE"})
    restore_accessories: share("Accessories", "", options={"SKIP_SAVE"})

    _request: api.Request | None = None
    _job: Job | None = None
    _preview: ShownPreview | None = None
    _timer: bpy.types.Timer | None = None

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if THE_BACKEND.busy:
            cls.poll_message_set("A picture is being worked on")
        return not THE_BACKEND.busy

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if bpy.app.background or context.window is None:  # no event would ever reach a modal operator
            return self.execute(context)
        try:
            self._request = api.Request.from_scene(context.scene, **self._overrides())
            self._job = api.begin(context, self._request, wants_preview=True)
        except LifelikeError as error:
            return self._failed(error)
        LAST_RUN.forget()
        keep_polling()
        manager = context.window_manager
        self._timer = manager.event_timer_add(0.1, window=context.window)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        job = self._job
        if event.type == "ESC" and event.value == "PRESS" and not job.state.over:
            THE_BACKEND.cancel()
        elif event.type != "TIMER":
            return {"PASS_THROUGH"}
        THE_BACKEND.poll()
        if not job.state.over:
            if job.preview is not None and self._preview is None:
                self._preview = api.show_preview(self._request, job.preview)
                show_in_open_editors(context, self._preview.image, replacing=self._request.image)
            return {"PASS_THROUGH"}
        self._remove_timer(context)
        try:
            outcome = api.finish(self._request, job)
        except LifelikeError as error:
            self._take_preview_back()
            return self._failed(error)
        show_in_open_editors(context, outcome.image, replacing=self._request.image)
        set_thumbnail(outcome.image, job.result)
        return self._succeeded(outcome)

    def execute(self, context: bpy.types.Context) -> set[str]:
        manager = context.window_manager
        manager.progress_begin(0, 100)
        try:
            outcome = api.enhance(
                context, on_progress=lambda job: manager.progress_update(100 * job.fraction), **self._overrides()
            )
        except LifelikeError as error:
            return self._failed(error)
        finally:
            manager.progress_end()
            keep_polling()
        return self._succeeded(outcome)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator: its window is closed, another file is loaded, or Blender quits."""
        self._remove_timer(context)
        self._take_preview_back()
        if self._job is not None and self._job is THE_BACKEND.job:
            THE_BACKEND.cancel()

    def _take_preview_back(self) -> None:
        if self._preview is not None:
            self._preview.take_back()

    def _overrides(self) -> dict[str, object]:
        names = (field.name for field in fields(api.Request) if field.name != "scene")
        return {name: getattr(self, name) for name in names if self.properties.is_property_set(name)}

    def _remove_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None

    def _succeeded(self, outcome: api.Outcome) -> set[str]:
        LAST_RUN.succeeded(outcome)
        redraw()
        for warning in outcome.warnings:
            self.report({"WARNING"}, warning)
        count = len(outcome.faces)
        self.report({"INFO"}, f"{outcome.image_name}: {count} {'face' if count == 1 else 'faces'} made realistic")
        return {"FINISHED"}

    def _failed(self, error: LifelikeError) -> set[str]:
        if error.code is ErrorCode.CANCELLED:
            self.report({"INFO"}, "Cancelled")
        else:
            LAST_RUN.failed(Failure.of(error))
            redraw()
            self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


CLASSES = (LIFELIKE_OT_make_realistic,)
