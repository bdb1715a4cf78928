# SPDX-License-Identifier: GPL-3.0-or-later
"""What a 3D viewport shows, drawn off-screen → `Frame`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import bpy
import gpu
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding, Frame, Source

from .. import compat
from ..face.projection import View, camera_view
from ..face.scene import faces_in_view
from ..restore import restored
from .colour import encoding_of_scene, plain_srgb_view


class _Viewport(NamedTuple):
    space: bpy.types.SpaceView3D
    region: bpy.types.Region


def capture_viewport(
    context: bpy.types.Context,
    through: str = "AUTO",
    size: tuple[int, int] | None = None,
    faces: bool = True,
) -> Frame:
    """Draws the 3D viewport's shading without overlays, as display pixels (float32, 0…1).

    Args:
        through: "CAMERA": the scene camera at the render's resolution; "VIEW": the viewport's own view at
            its own size; "AUTO": the camera where the viewport looks through it or nobody looks (background
            mode), else the view.
        size: (width, height) in pixels instead.
        faces: add the faces that the scene knows.

    The encoding names what the viewport shows: solid shading ignores the scene's view transform. A viewport
    that renders with Cycles is drawn with EEVEE, since Cycles cannot draw off-screen.

    Raises:
        LifelikeError: `INVALID_SETTING` without a 3D viewport or camera, or without a GPU.
    """
    scene = context.scene
    viewport = _find_viewport(context)
    if _choose(through, scene, viewport) == "CAMERA":
        view, (width, height) = _camera(context, size)
        camera = scene.camera.name
    else:
        region_view = viewport.space.region_3d
        width, height = size or (viewport.region.width, viewport.region.height)
        view = View.of_matrices(region_view.view_matrix, region_view.window_matrix)
        camera = ""
    with _drawable(scene, viewport.space):
        encoding = _encoding(scene, viewport.space.shading)
        with plain_srgb_view(scene):
            pixels = _draw(context, viewport, view, width, height)
    hints = faces_in_view(context.evaluated_depsgraph_get(), view, width, height) if faces else ()
    return Frame(pixels=pixels, encoding=encoding, faces=hints, source=Source(scene.name, camera, scene.frame_current))


def _find_viewport(context: bpy.types.Context) -> _Viewport:
    """The 3D viewport at hand: the one pressed in, else the largest on the screen, else any in the file."""
    screens = [context.screen] if context.screen else []
    screens += [window.screen for window in context.window_manager.windows] + list(bpy.data.screens)
    areas = [context.area] if context.area and context.area.type == "VIEW_3D" else []
    for screen in screens:
        found = [area for area in screen.areas if area.type == "VIEW_3D"]
        areas += sorted(found, key=lambda area: area.width * area.height, reverse=True)
    for area in areas:
        region = next((region for region in area.regions if region.type == "WINDOW"), None)
        if region is not None and isinstance(area.spaces.active, bpy.types.SpaceView3D):
            return _Viewport(area.spaces.active, region)
    raise LifelikeError(
        ErrorCode.INVALID_SETTING, "There is no 3D viewport to take the picture from.", "Open a 3D viewport."
    )


def _choose(through: str, scene: bpy.types.Scene, viewport: _Viewport) -> str:
    if through != "AUTO":
        return through
    if bpy.app.background:
        return "CAMERA" if scene.camera else "VIEW"
    return "CAMERA" if scene.camera and viewport.space.region_3d.view_perspective == "CAMERA" else "VIEW"


def _camera(context: bpy.types.Context, size: tuple[int, int] | None) -> tuple[View, tuple[int, int]]:
    scene = context.scene
    if scene.camera is None:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, "The scene has no camera.", "Add a camera, or capture the current view instead."
        )
    width, height = size or compat.render_size(scene)
    view = camera_view(scene, context.evaluated_depsgraph_get(), scene.camera, width, height, border=False)
    if view is None:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            "A viewport cannot show a panoramic camera.",
            "Use a perspective or orthographic camera, or take the render result.",
        )
    return view, (width, height)


@contextmanager
def _drawable(scene: bpy.types.Scene, space: bpy.types.SpaceView3D) -> Iterator[None]:
    """No overlays and gizmos, and an engine that can draw off-screen."""
    shading = space.shading
    draws_itself = scene.render.engine in (compat.EEVEE, "BLENDER_WORKBENCH")
    with (
        restored(space.overlay, ("show_overlays",)),
        restored(space, ("show_gizmo",)),
        restored(shading, ("type", "use_scene_lights", "use_scene_world")),
    ):
        space.overlay.show_overlays = False
        space.show_gizmo = False
        if shading.type == "RENDERED" and not draws_itself:
            lights, world = shading.use_scene_lights_render, shading.use_scene_world_render
            shading.type = "MATERIAL"
            shading.use_scene_lights, shading.use_scene_world = lights, world
        yield


def _encoding(scene: bpy.types.Scene, shading: bpy.types.View3DShading) -> Encoding:
    """Which part of the scene's colour management a viewport uses.

    Solid and wireframe use none; material preview leaves exposure and gamma out unless it uses the
    scene's lights or world (Blender manual, 3D Viewport › Viewport Shading).
    """
    if shading.type in ("WIREFRAME", "SOLID"):
        return Encoding()
    encoding = encoding_of_scene(scene)
    rendered = shading.type == "RENDERED"
    lights = shading.use_scene_lights_render if rendered else shading.use_scene_lights
    world = shading.use_scene_world_render if rendered else shading.use_scene_world
    if lights or world or scene.render.engine == "BLENDER_WORKBENCH":
        return encoding
    return Encoding(view_transform=encoding.view_transform)


def _draw(context: bpy.types.Context, viewport: _Viewport, view: View, width: int, height: int) -> np.ndarray:
    """(height, width, 3) float32 display pixels, row 0 on top."""
    try:
        compat.ensure_gpu()
        offscreen = gpu.types.GPUOffScreen(width, height, format="RGBA32F")
    except (SystemError, RuntimeError, ValueError) as error:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The viewport cannot be drawn: {error}.",
            "Take the render result instead; it needs no graphics card.",
        ) from error
    try:
        offscreen.draw_view3d(
            context.scene,
            context.view_layer,
            viewport.space,
            viewport.region,
            view.world_to_view,
            view.projection,
            do_color_management=True,
            draw_background=True,
        )
        with offscreen.bind():
            buffer = gpu.state.active_framebuffer_get().read_color(0, 0, width, height, 4, 0, "FLOAT")
        buffer.dimensions = width * height * 4
        pixels = np.array(buffer, dtype=np.float32).reshape(height, width, 4)
    finally:
        offscreen.free()
    return np.ascontiguousarray(np.clip(pixels[::-1, :, :3], 0.0, 1.0))
