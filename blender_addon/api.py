# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on from Python: everything its operators do, callable without them.

    from bl_ext.user_default.lifelike import api
    outcome = api.enhance(bpy.context, source="RENDER", outputs={"IMAGE", "COMPOSITOR"}, strength=0.8)
    outcome.image.save_render("after.png")

Main thread only. `enhance` blocks; `begin`, `THE_BACKEND.poll` and `finish` are its parts for those who must not.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Preview, Result, Source

from . import preferences
from .backend import THE_BACKEND
from .capture import capture_image, capture_render_result, capture_viewport
from .deliver.compositor import deliver_compositor
from .deliver.image import deliver_image, deliver_mask
from .deliver.preview import ShownPreview
from .deliver.texture import deliver_texture
from .jobs import Job, JobState
from .outcome import FaceOutcome, Outcome
from .request import Request


def enhance(
    context: bpy.types.Context,
    *,
    on_progress: Callable[[Job], None] | None = None,
    **settings: Any,
) -> Outcome:
    """Captures, waits for the backend, delivers.

    Args:
        on_progress: called with the job whenever it came forward.
        settings: fields of `Request`; what is not given comes from `context.scene.lifelike`.

    Raises:
        LifelikeError: whatever went wrong; nothing has been delivered then.
    """
    request = Request.from_scene(context.scene, **settings)
    job = begin(context, request)
    timeouts = preferences.of(context)
    THE_BACKEND.wait(job, float(timeouts.timeout + timeouts.start_timeout), on_progress)
    return finish(request, job)


def begin(context: bpy.types.Context, request: Request, *, wants_preview: bool = False) -> Job:
    """Captures the picture and hands it to the backend, which is started when the preferences say so.

    wants_preview: whether the job's `preview` is to be filled while refinement or tuning goes on; for `show_preview`.

    Raises:
        LifelikeError: the request cannot work, there is nothing to capture, or no backend to be had.
    """
    request.check()
    ensure_backend(context)
    frame = capture(context, request)
    return THE_BACKEND.submit(frame, request.settings, float(preferences.of(context).timeout), wants_preview)


def show_preview(request: Request, preview: Preview) -> ShownPreview:
    """Puts a preview into the image that the result will take; `take_back` undoes it when there is no result."""
    return ShownPreview(preview, _image_name(request))


def ensure_backend(context: bpy.types.Context) -> None:
    """Starts the backend if it does not run and the preferences allow it.

    Raises:
        LifelikeError: NOT_RUNNING.
    """
    THE_BACKEND.poll()
    if THE_BACKEND.running:
        return
    if not preferences.of(context).start_automatically:
        raise LifelikeError(ErrorCode.NOT_RUNNING, "The backend is not running.", "Start the backend.")
    THE_BACKEND.start(preferences.backend_options(context))


def capture(context: bpy.types.Context, request: Request) -> Frame:
    """The picture that `request` names, with the faces known from the scene."""
    if request.source == "IMAGE":
        return capture_image(bpy.data.images[request.image], context)
    if request.source == "RENDER":
        return capture_render_result(context, kind=request.colours)
    return capture_viewport(context, through=request.viewpoint)


def finish(request: Request, job: Job) -> Outcome:
    """Delivers the result of a job that is over.

    Raises:
        LifelikeError: the job failed or was cancelled.
    """
    if job.state is JobState.CANCELLED:
        raise LifelikeError(ErrorCode.CANCELLED, "The picture was cancelled.")
    if job.error is not None:
        raise job.error
    assert job.result is not None
    return deliver(request, job.result, job.frame.source)


def deliver(request: Request, result: Result, source: Source) -> Outcome:
    """Puts a result of a frame taken from `source` where `request` says. The image always stays, so none is lost."""
    image = deliver_image(result, _image_name(request))
    warnings = []
    for output, put in (("TEXTURE", _put_texture), ("COMPOSITOR", _put_compositor)):
        if output in request.outputs:
            try:
                put(request, result, image, source)
            except LifelikeError as error:
                warnings.append(f"The result is in the image “{image.name}” only. {error}")
    faces = tuple(
        FaceOutcome(
            face.name,
            face.identity_similarity,
            face.landmark_drift,
            tuple(face.warnings),
            face.landmark_source.value,
        )
        for face in result.faces
    )
    made_by = result.provenance
    return Outcome(image.name, faces, dict(result.timings), made_by.bundle, tuple(warnings), made_by, result)


def _put_texture(request: Request, result: Result, image: bpy.types.Image, source: Source) -> None:
    target = bpy.data.objects.get(request.texture_object)
    if target is None:
        raise _gone("object", request.texture_object)
    deliver_texture(image, target)


def _put_compositor(request: Request, result: Result, image: bpy.types.Image, source: Source) -> None:
    scene = bpy.data.scenes.get(request.scene)
    if scene is None:
        raise _gone("scene", request.scene)
    # Not the frame shown now: the user may have moved on while the backend worked.
    deliver_compositor(image, deliver_mask(result, image.name), scene, frame=source.frame)


def _gone(kind: str, name: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_SETTING, f"The {kind} “{name}” was removed meanwhile.", "Choose another one and run again."
    )


def _image_name(request: Request) -> str:
    """One image for each thing that is worked on: a run updates its own result and no other."""
    if request.source == "IMAGE":
        return f"Lifelike {request.image}"
    return f"Lifelike {request.scene}" if request.source == "RENDER" else f"Lifelike {request.scene} Viewport"
