# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in Blender: what is set in the panel goes over the wire, and a preview is shown where the result will be."""

import addon
import bpy
import drawn_face
import numpy as np

addon.enable()
drawn_face.build()
from bl_ext.user_default.lifelike import api  # noqa: E402
from bl_ext.user_default.lifelike.backend import THE_BACKEND  # noqa: E402


def pixels(image: bpy.types.Image) -> list[float]:
    """Some of an image's values as Blender holds them."""
    values = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(values)
    return values[::97].tolist()


bpy.ops.render.render()
settings = bpy.context.scene.lifelike
addon.tell(untouched=[settings.refine, settings.tune, settings.restore_iris, settings.restore_accessories])

settings.method = "decode"
settings.refine, settings.tune = 2, 1
settings.restore_iris, settings.restore_skin = 0.25, 0.5
settings.restore_background, settings.restore_accessories = 0.75, 0.0
outcome = api.enhance(bpy.context, source="RENDER")
sent = outcome.provenance.settings
addon.tell(
    steps=[sent.inversion.refine, sent.inversion.tune],
    restored=[
        *(sent.restoration.iris, sent.restoration.skin),
        *(sent.restoration.background, sent.restoration.accessories),
    ],
)
first = pixels(outcome.image)

bpy.ops.lifelike.make_realistic(source="RENDER", refine=0, tune=0)
addon.tell(of_operator=api.Request.from_scene(bpy.context.scene, refine=5).settings.inversion.refine)
unrefined = pixels(outcome.image)


def distance(one: list[float], other: list[float]) -> float:
    return float(np.abs(np.subtract(one, other)).mean())


def begun() -> tuple[api.Request, api.Job]:
    """A run as the button starts it, once its preview is there."""
    request = api.Request.from_scene(bpy.context.scene, source="RENDER", refine=200)
    job = api.begin(bpy.context, request, wants_preview=True)
    addon.until(lambda: job.preview is not None or job.state.over)
    return request, job


request, job = begun()
addon.until(lambda: job.inversion_error is not None or job.state.over)
addon.tell(before_result=not job.state.over, error=job.inversion_error)
shown = api.show_preview(request, job.preview)
addon.tell(shown=shown.image.name, to_first_pass=distance(pixels(shown.image), unrefined))
THE_BACKEND.cancel()
shown.take_back()
addon.tell(taken_back=pixels(outcome.image) == unrefined)

bpy.data.images.remove(outcome.image)
addon.until(lambda: not THE_BACKEND.busy)
request, job = begun()
shown = api.show_preview(request, job.preview)
THE_BACKEND.cancel()
shown.take_back()
addon.tell(gone="Lifelike Scene" not in bpy.data.images, to_refined=distance(first, unrefined))
