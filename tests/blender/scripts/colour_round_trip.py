# SPDX-License-Identifier: GPL-3.0-or-later
"""Render → capture → deliver unchanged → show, render and composite again: how far the pictures lie apart."""

from __future__ import annotations

import addon_parts
import bpy
import results
import scenes
from lifelike_addon.capture import capture_image, capture_render_result
from lifelike_addon.deliver import deliver_compositor, deliver_image, deliver_mask

VIEWS = {
    "Standard": ("Standard", "None", 0.0, 1.0),
    "Filmic": ("Filmic", "None", 0.0, 1.0),
    "AgX": ("AgX", "None", 0.0, 1.0),
    "AgX, gamma": ("AgX", "None", 0.0, 1.3),
    "Filmic, exposure": ("Filmic", "None", -0.7, 1.0),
    "AgX, look and exposure": ("AgX", "AgX - Punchy", 0.8, 0.9),
}


def round_trip(name: str, kind: str) -> dict[str, object]:
    scene = scenes.empty_scene()
    view = scene.view_settings
    view.view_transform, view.look, view.exposure, view.gamma = VIEWS[name]
    scenes.full_frame_chart(scene, scenes.chart())
    bpy.ops.render.render()
    before = scenes.shown(scene)
    frame = capture_render_result(bpy.context, kind)
    result = results.unchanged(frame)
    image = deliver_image(result, "Round Trip")
    report: dict[str, object] = {
        "space": image.colorspace_settings.name,
        "shown": scenes.levels(before, scenes.shown(scene, image)),
    }
    again = capture_image(image, bpy.context)
    if kind == "display" and again.encoding.kind == "display":
        report["captured_again"] = scenes.levels(frame.pixels, again.pixels)
    # Another scene comes underneath, so that only the node can bring the first picture back.
    deliver_compositor(image, deliver_mask(result, "Round Trip"), scene)
    bpy.data.objects["plane"].hide_render = True
    bpy.ops.render.render()
    report["composited"] = scenes.levels(before, scenes.shown(scene))
    # As a texture on the glowing plane it is rendered once more.
    for node in bpy.data.materials["chart"].node_tree.nodes:
        if node.type == "TEX_IMAGE":
            node.image = image
    bpy.data.objects["plane"].hide_render = False
    _lifelike_node(scene).inputs["Strength"].default_value = 0.0
    bpy.ops.render.render()
    report["rendered"] = scenes.levels(before, scenes.shown(scene))
    return report


def _lifelike_node(scene: bpy.types.Scene) -> bpy.types.Node:
    from lifelike_addon import compat

    tree = compat.compositor_tree(scene)
    assert tree is not None
    return tree.nodes["Lifelike"]


def twice_as_srgb() -> dict[str, float]:
    """What an untagged image would do: shown through AgX a second time."""
    scene = scenes.empty_scene()
    scene.view_settings.view_transform = "AgX"
    scenes.full_frame_chart(scene, scenes.chart())
    bpy.ops.render.render()
    before = scenes.shown(scene)
    image = deliver_image(results.unchanged(capture_render_result(bpy.context)), "Untagged")
    image.colorspace_settings.name = "sRGB"
    return scenes.levels(before, scenes.shown(scene, image))


REPORT: dict[str, object] = {name: round_trip(name, "display") for name in VIEWS}
REPORT["scene linear"] = round_trip("AgX", "scene_linear")
REPORT["untagged"] = twice_as_srgb()
addon_parts.write_report(REPORT)
