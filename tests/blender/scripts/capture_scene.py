# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures what the capture functions return for pictures that are known."""

from __future__ import annotations

from pathlib import Path

import addon_parts
import bpy
import numpy as np
import scenes
from lifelike_addon.capture import capture_render_result, capture_viewport

REPORT: dict[str, object] = {}


def without_render() -> None:
    scenes.empty_scene()
    REPORT["no_render"] = scenes.error_of(capture_render_result, bpy.context)
    REPORT["no_render_linear"] = scenes.error_of(capture_render_result, bpy.context, "scene_linear")


def render_result() -> None:
    scene = scenes.empty_scene()
    colours = scenes.chart()
    scenes.full_frame_chart(scene, colours)
    bpy.ops.render.render()
    linear = capture_render_result(bpy.context, "scene_linear")
    display = capture_render_result(bpy.context)
    REPORT["linear"] = {
        "shape": linear.pixels.shape,
        "dtype": str(linear.pixels.dtype),
        "kind": linear.encoding.kind,
        "has_configuration": bool(linear.encoding.ocio_config),
        "error": float(np.abs(scenes.cells(linear.pixels) - colours).max()),
    }
    REPORT["standard"] = {
        "shape": display.pixels.shape,
        "dtype": str(display.pixels.dtype),
        "contiguous": bool(display.pixels.flags["C_CONTIGUOUS"]),
        "view": display.encoding.view_transform,
        "error": scenes.levels(scenes.cells(display.pixels), scenes.srgb(colours))["max"],
        "values": len(np.unique(display.pixels)),
        "source": [display.source.scene, display.source.camera, display.source.frame],
    }
    REPORT["views"] = {name: _against_saved_picture(scene, name) for name in ("Standard", "Filmic", "AgX")}
    scene.view_settings.view_transform = "False Color"
    REPORT["false_color"] = scenes.error_of(capture_render_result, bpy.context)


def _against_saved_picture(scene: bpy.types.Scene, view_transform: str) -> dict[str, object]:
    """The captured picture beside the 8-bit PNG that Blender saves of the same render."""
    scene.view_settings.view_transform = view_transform
    scene.view_settings.exposure, scene.view_settings.gamma = 0.5, 1.2
    frame = capture_render_result(bpy.context)
    path = str(Path.cwd() / f"{view_transform}.png")
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "8"
    bpy.data.images["Render Result"].save_render(path, scene=scene)
    saved = bpy.data.images.load(path)
    saved.colorspace_settings.name = "Non-Color"
    values = np.empty(len(saved.pixels), np.float32)
    saved.pixels.foreach_get(values)
    values = values.reshape(saved.size[1], saved.size[0], saved.channels)[::-1, :, :3]
    bpy.data.images.remove(saved)
    scene.view_settings.exposure, scene.view_settings.gamma = 0.0, 1.0
    return {
        "encoding": [frame.encoding.view_transform, frame.encoding.exposure, frame.encoding.gamma],
        **scenes.levels(frame.pixels, values),
    }


def settings_stay() -> None:
    scene = scenes.empty_scene(48, 32)
    scenes.full_frame_chart(scene, scenes.chart())
    bpy.ops.render.render()
    settings = scene.render.image_settings
    changed: dict[str, list[str]] = {}
    for label in ("jpeg", "exr", "multilayer", "override"):
        _choose_output(settings, label)
        scene.view_settings.view_transform = "AgX"
        scene.view_settings.look = "AgX - Punchy"
        scene.view_settings.use_curve_mapping = True
        for kind in ("display", "scene_linear"):
            before = scenes.scene_state(scene)
            capture_render_result(bpy.context, kind)
            changed[f"{label} {kind}"] = scenes.changes(before, scenes.scene_state(scene))
    # The render is gone and the capture fails: the settings must come back all the same.
    bpy.data.images.remove(bpy.data.images["Render Result"])
    other = bpy.data.scenes.new("never rendered")
    bpy.context.window.scene = other
    other.render.image_settings.file_format = "JPEG"
    before = scenes.scene_state(other)
    REPORT["error_in_between"] = scenes.error_of(capture_render_result, bpy.context)
    changed["error"] = scenes.changes(before, scenes.scene_state(other))
    REPORT["changed_settings"] = changed


def _choose_output(settings: bpy.types.ImageFormatSettings, label: str) -> None:
    settings.color_management = "FOLLOW_SCENE"
    if hasattr(settings, "media_type"):
        settings.media_type = "MULTI_LAYER_IMAGE" if label == "multilayer" else "IMAGE"
    if label == "jpeg":
        settings.file_format, settings.color_mode, settings.quality = "JPEG", "BW", 37
    elif label == "exr":
        settings.file_format, settings.color_depth, settings.exr_codec = "OPEN_EXR", "16", "DWAA"
    elif label == "multilayer":
        settings.file_format = "OPEN_EXR_MULTILAYER"
    else:
        settings.file_format, settings.color_depth, settings.compression = "PNG", "8", 63
        settings.color_management = "OVERRIDE"
        settings.display_settings.display_device = "Display P3"
        settings.view_settings.view_transform = "AgX"
        settings.view_settings.look = "AgX - High Contrast"
        settings.view_settings.exposure = 1.25


def override_is_passed_over() -> None:
    """A file output with a view of its own must not change what is captured."""
    scene = scenes.empty_scene(48, 32)
    scenes.full_frame_chart(scene, scenes.chart())
    scene.view_settings.view_transform = "AgX"
    bpy.ops.render.render()
    plain = capture_render_result(bpy.context).pixels
    _choose_output(scene.render.image_settings, "override")
    REPORT["override"] = scenes.levels(plain, capture_render_result(bpy.context).pixels)
    scene.render.image_settings.color_management = "FOLLOW_SCENE"
    scene.display_settings.display_device = "Display P3"
    scene.view_settings.look = "AgX - Punchy"
    graded = capture_render_result(bpy.context)
    REPORT["other_display_and_look"] = {"look": graded.encoding.look, **scenes.levels(plain, graded.pixels)}


def transparency() -> None:
    scene = scenes.empty_scene(32, 32)
    scene.render.film_transparent = True
    scenes.full_frame_chart(scene, scenes.chart())
    scene.camera.data.ortho_scale = 4.0
    bpy.ops.render.render()
    pixels = capture_render_result(bpy.context).pixels
    REPORT["transparent"] = {
        "shape": pixels.shape,
        "corner_alpha": float(pixels[0, 0, 3]),
        "middle_alpha": float(pixels[16, 16, 3]),
    }


def viewport() -> None:
    scene = scenes.empty_scene(300, 200)
    scene.render.resolution_percentage = 58
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.shading.light, scene.display.shading.color_type = "FLAT", "OBJECT"
    scene.view_settings.view_transform = "AgX"
    scene.world = bpy.data.worlds.new("grey")
    scene.world.color = (0.2, 0.2, 0.2)
    _quarter_plane(scene)
    scenes.add_camera(scene, location=(0, 0, 2), orthographic=3.0)
    space = next(area for area in bpy.context.screen.areas if area.type == "VIEW_3D").spaces.active
    space.shading.light, space.shading.color_type = "FLAT", "OBJECT"
    # Rendered before anything is drawn: with software OpenGL a render can lose meshes that a viewport drew last.
    bpy.ops.render.render()
    render = capture_render_result(bpy.context).pixels
    rendered = _captured_viewport(scene, space, "RENDERED")
    solid = _captured_viewport(scene, space, "SOLID")
    REPORT["viewport"] = {
        "size": [render.shape[1], render.shape[0]],
        "rendered": {**rendered[1], "off_render": _inner_levels(rendered[0], render)},
        "solid": solid[1],
        "top_left": solid[0][20, 20].tolist(),
        "bottom_right": solid[0][-20, -20].tolist(),
    }
    own = capture_viewport(bpy.context, "VIEW", size=(90, 50))
    REPORT["viewport_own_view"] = [list(own.pixels.shape), own.source.camera]
    scene.camera = None
    REPORT["no_camera"] = scenes.error_of(capture_viewport, bpy.context, "CAMERA")


def _inner_levels(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, in 8-bit levels, away from the red plane's edges, which are smoothed differently."""
    spots = (np.array([20, 20, -20, -20]), np.array([20, -20, 20, -20]))
    return scenes.levels(one[spots], other[spots][..., :3])["max"]


def _quarter_plane(scene: bpy.types.Scene) -> None:
    """A red plane that covers the upper left quarter of the camera's picture."""
    mesh = bpy.data.meshes.new("red")
    mesh.from_pydata([(-3, 0, 0), (0, 0, 0), (0, 3, 0), (-3, 3, 0)], [], [(0, 1, 2, 3)])
    plane = bpy.data.objects.new("red", mesh)
    plane.color = (0.8, 0.1, 0.1, 1.0)
    scene.collection.objects.link(plane)


def _captured_viewport(scene: bpy.types.Scene, space: bpy.types.SpaceView3D, kind: str) -> tuple[np.ndarray, dict]:
    space.shading.type = kind
    space.overlay.show_overlays = True
    before = scenes.scene_state(scene) | {"space": scenes.properties(space)}
    frame = capture_viewport(bpy.context, "CAMERA")
    after = scenes.scene_state(scene) | {"space": scenes.properties(space)}
    told = {
        "shape": frame.pixels.shape,
        "dtype": str(frame.pixels.dtype),
        "view": frame.encoding.view_transform,
        "changed": scenes.changes(before, after),
    }
    return frame.pixels, told


def handlers_stay_silent() -> None:
    """The render that opens the GPU must not look like one of the user's."""
    calls: list[str] = []
    scenes.empty_scene(16, 16)
    handlers = bpy.app.handlers
    handlers.render_init.append(lambda *_: calls.append("init"))
    handlers.render_complete.append(lambda *_: calls.append("complete"))
    from lifelike_addon import compat

    compat._draw_with_workbench()
    REPORT["handlers"] = {"calls": calls, "left": [len(handlers.render_init), len(handlers.render_complete)]}
    handlers.render_init.clear()
    handlers.render_complete.clear()


for step in (
    without_render, render_result, settings_stay, override_is_passed_over, transparency, viewport, handlers_stay_silent
):  # fmt: skip
    step()
addon_parts.write_report(REPORT)
