# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the three deliveries: image, texture, compositor node."""

from __future__ import annotations

from pathlib import Path

import addon_parts
import bpy
import numpy as np
import results
import scenes
from lifelike_addon import compat
from lifelike_addon.capture import capture_render_result
from lifelike_addon.capture.pixels import image_pixels
from lifelike_addon.deliver import deliver_compositor, deliver_image, deliver_mask, deliver_texture

from lifelike_protocol.messages import Encoding

REPORT: dict[str, object] = {}
NAME = "Portrait Lifelike"
BOX = (16, 8, 40, 56)


def picture(seed: int, height: int = 64, width: int = 64) -> np.ndarray:
    """(height, width, 3) float32 display pixels, smooth in x and y so that shifts show."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    weights = random.uniform(0.1, 0.5, (2, 3))
    return (across[..., None] * weights[0] + down[..., None] * weights[1]).astype(np.float32)


def images() -> None:
    scenes.empty_scene()
    theirs = bpy.data.images.new(NAME, 4, 4)
    theirs.pixels = [0.25] * 64
    first_picture, second_picture = picture(1), picture(2, 32, 48)
    first = deliver_image(results.result_of(first_picture, Encoding()), NAME)
    told = {
        "name": first.name,
        "packed": first.packed_file is not None,
        "fake_user": first.use_fake_user,
        "is_float": first.is_float,
        "error": _off_display(first, first_picture),
    }
    again = deliver_image(results.result_of(second_picture, Encoding()), NAME)
    told["same_datablock"] = again == first
    told["size_after_update"] = list(again.size)
    told["error_after_update"] = _off_display(again, second_picture)
    told["theirs"] = [list(theirs.size), theirs.pixels[0], theirs.packed_file is not None]
    bytes_in = (picture(3) * 255).astype(np.uint8)
    eight = deliver_image(results.result_of(bytes_in, Encoding()), "Eight")
    told["eight_bits"] = {
        "is_float": eight.is_float,
        "same": bool((np.rint(image_pixels(eight)[..., :3] * 255) == bytes_in).all()),
    }
    with_alpha = np.dstack([picture(4), np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64)])
    transparent = deliver_image(results.result_of(with_alpha, Encoding()), "Transparent")
    told["alpha_error"] = float(np.abs(image_pixels(transparent)[..., 3] - with_alpha[..., 3]).max())
    terms = {"licence": "CC-BY-NC-4.0", "non_commercial": True, "citation": "A work"}
    bound = deliver_image(results.result_of(bytes_in, Encoding(), **terms), "Bound")
    told["terms"] = [bound.get("lifelike_terms")]
    deliver_image(results.result_of(bytes_in, Encoding()), "Bound")
    told["terms"].append(bound.get("lifelike_terms"))
    mask = deliver_mask(results.result_of(first_picture, Encoding(), BOX), NAME)
    told["mask"] = _mask_facts(mask)
    REPORT["images"] = told
    _saved_and_opened(second_picture)


def _off_display(image: bpy.types.Image, display: np.ndarray) -> float:
    """Largest difference, in 8-bit levels, between an sRGB image and display pixels."""
    return scenes.levels(scenes.srgb(image_pixels(image)[..., :3]), display)["max"]


def _mask_facts(mask: bpy.types.Image) -> dict[str, object]:
    values = image_pixels(mask)[..., 0]
    x0, y0, x1, y1 = BOX
    return {
        "name": mask.name,
        "space": mask.colorspace_settings.name,
        "inside": float(values[y0:y1, x0:x1].min()),
        "outside": float(values.sum() - values[y0:y1, x0:x1].sum()),
    }


def _saved_and_opened(display: np.ndarray) -> None:
    path = str(Path.cwd() / "saved.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    image = next(image for image in bpy.data.images if image.get("lifelike") == f"image:{NAME}")
    error = _off_display(image, display) if list(image.size) == [48, 32] else None
    updated = deliver_image(results.result_of(picture(5), Encoding()), NAME)
    REPORT["after_reopening"] = {"error": error, "updates_in_place": updated == image}


def textures() -> None:
    scene = scenes.empty_scene()
    scenes.full_frame_chart(scene, scenes.chart())
    plane = bpy.data.objects["plane"]
    chart_material = plane.active_material
    display = picture(6)
    image = deliver_image(results.result_of(display, Encoding()), NAME)
    before = _node_facts(chart_material.node_tree)
    node = deliver_texture(image, plane)
    deliver_texture(image, plane)
    after = _node_facts(chart_material.node_tree)
    told: dict[str, object] = {
        "wired_material_new_nodes": sorted(set(after["nodes"]) - set(before["nodes"])),
        "wired_material_links": after["links"] == before["links"],
        "holds_image": node.image == image,
    }
    plane.data.materials.clear()
    deliver_texture(image, plane)
    bpy.ops.render.render()
    told["new_material"] = plane.active_material.name
    told["rendered"] = scenes.levels(capture_render_result(bpy.context).pixels[2:-2, 2:-2], display[2:-2, 2:-2])
    plane.data.materials.clear()
    while plane.data.uv_layers:
        plane.data.uv_layers.remove(plane.data.uv_layers[0])
    deliver_texture(image, plane)
    bpy.ops.render.render()
    told["without_uv"] = scenes.levels(capture_render_result(bpy.context).pixels[2:-2, 2:-2], display[2:-2, 2:-2])
    plain = bpy.data.materials.new("plain")
    plain.use_nodes = True
    plane.data.materials.clear()
    plane.data.materials.append(plain)
    node = deliver_texture(image, plane)
    told["plain_material_wired_to"] = [link.to_socket.name for link in node.outputs["Color"].links]
    told["no_materials"] = scenes.error_of(deliver_texture, image, scene.camera)
    REPORT["textures"] = told


def _node_facts(tree: bpy.types.NodeTree) -> dict[str, list]:
    return {
        "nodes": [node.name for node in tree.nodes],
        "places": sorted([node.name, *node.location, node.mute] for node in tree.nodes if node.name != "Lifelike"),
        "links": sorted(
            [link.from_node.name, link.from_socket.name, link.to_node.name, link.to_socket.identifier]
            for link in tree.links
        ),
    }


def compositor() -> None:
    """A scene with a compositor of its own: render → user's exposure node → output."""
    scene = scenes.empty_scene()
    scenes.full_frame_chart(scene, scenes.chart())
    tree = compat.ensure_compositor_tree(scene)
    exposure = tree.nodes.new("CompositorNodeExposure")
    exposure.inputs["Exposure"].default_value = -0.5
    exposure.location = (123, 45)
    target = compat.output_socket(tree)
    tree.links.new(compat.render_socket(tree, scene), exposure.inputs["Image"])
    tree.links.new(exposure.outputs["Image"], target)
    bpy.ops.render.render()
    before = capture_render_result(bpy.context)
    nodes_before, state_before = _node_facts(tree), scenes.scene_state(scene)
    changed = before.pixels.copy()
    x0, y0, x1, y1 = BOX
    changed[y0:y1, x0:x1] = picture(7)[y0:y1, x0:x1]
    result = results.result_of(changed, before.encoding, BOX)
    image, mask = deliver_image(result, NAME), deliver_mask(result, NAME)
    node = deliver_compositor(image, mask, scene)
    nodes_after, state_after = _node_facts(tree), scenes.scene_state(scene)
    state_before.pop("images"), state_after.pop("images")
    report: dict[str, object] = {
        "new_nodes": sorted(set(nodes_after["nodes"]) - set(nodes_before["nodes"])),
        "places_stay": nodes_after["places"] == nodes_before["places"],
        "lost_links": [link for link in nodes_before["links"] if link not in nodes_after["links"]],
        "new_links": [link for link in nodes_after["links"] if link not in nodes_before["links"]],
        "settings": scenes.changes(state_before, state_after),
        "sockets": [socket.name for socket in node.inputs],
    }
    report["strengths"] = {
        str(strength): _composited(scene, node, strength, changed * strength + before.pixels * (1 - strength))
        for strength in (0.0, 1.0)
    }
    report["half"] = _half_way(scene, node, before.pixels, changed)
    node.inputs["Strength"].default_value = 1.0
    node.inputs["Mask"].default_value = 0.0
    report["mask_socket"] = _composited(scene, node, 1.0, before.pixels)
    node.inputs["Mask"].default_value = 1.0
    report["update"] = _updated(scene, tree, node, before)
    REPORT["compositor"] = report


def _composited(scene: bpy.types.Scene, node: bpy.types.Node, strength: float, expected: np.ndarray) -> dict:
    node.inputs["Strength"].default_value = strength
    bpy.ops.render.render()
    pixels = scenes.shown(scene)
    x0, y0, x1, y1 = BOX
    outside = np.ones(pixels.shape[:2], bool)
    outside[y0:y1, x0:x1] = False
    return {
        "inside": scenes.levels(pixels[y0:y1, x0:x1], expected[y0:y1, x0:x1])["max"],
        "outside": scenes.levels(pixels[outside], expected[outside])["max"],
    }


def _half_way(scene: bpy.types.Scene, node: bpy.types.Node, before: np.ndarray, changed: np.ndarray) -> bool:
    """Whether Strength 0.5 lies strictly between the two pictures where they differ."""
    node.inputs["Strength"].default_value = 0.5
    bpy.ops.render.render()
    pixels = scenes.shown(scene)
    differs = np.abs(before - changed) > 0.05
    low, high = np.minimum(before, changed), np.maximum(before, changed)
    return bool(((pixels > low) & (pixels < high))[differs].all())


def _updated(scene: bpy.types.Scene, tree: bpy.types.NodeTree, node: bpy.types.Node, before) -> dict:
    """A second run: same node, same group, the user's Strength kept, the new picture in it."""
    node.inputs["Strength"].default_value = 0.25
    groups, nodes = len(bpy.data.node_groups), len(tree.nodes)
    second = before.pixels.copy()
    x0, y0, x1, y1 = BOX
    second[y0:y1, x0:x1] = picture(8)[y0:y1, x0:x1]
    result = results.result_of(second, before.encoding, BOX)
    again = deliver_compositor(deliver_image(result, NAME), deliver_mask(result, NAME), scene)
    told = {
        "same_node": again == node,
        "same_count": (len(bpy.data.node_groups), len(tree.nodes)) == (groups, nodes),
        "strength_kept": again.inputs["Strength"].default_value,
        "drivers": len(again.node_tree.animation_data.drivers),
    }
    return told | {"picture": _composited(scene, again, 1.0, second)}


def no_compositor() -> None:
    """A scene that never had one, at percentages that Blender rounds in its own ways."""
    told = {str(percentage): _at_percentage(percentage) for percentage in (15, 50)}
    scene = bpy.context.scene
    scene.render.resolution_percentage = 100
    bpy.ops.render.render()
    larger = scenes.shown(scene)
    expected = 1 - scenes.srgb(scenes.chart())
    told["twice_the_size"] = [list(larger.shape), scenes.levels(scenes.cells(larger), expected)]
    REPORT["no_compositor"] = told
    if not compat.GROUPED_COMPOSITOR:
        REPORT["switched_off"] = _switched_off()


def _at_percentage(percentage: int) -> dict[str, object]:
    """The negative of a render, brought back by the node at the same size."""
    scene = scenes.empty_scene(320, 160)
    scene.render.resolution_percentage = percentage
    scenes.full_frame_chart(scene, scenes.chart())
    scene.camera.data.sensor_fit = "VERTICAL"
    bpy.data.objects["plane"].scale.x = 2.0
    bpy.ops.render.render()
    frame = capture_render_result(bpy.context)
    result = results.result_of(1 - frame.pixels, frame.encoding)
    node = deliver_compositor(deliver_image(result, NAME), None, scene, strength=0.75)
    strength = node.inputs["Strength"].default_value
    node.inputs["Strength"].default_value = 1.0
    bpy.ops.render.render()
    return {
        "strength": strength,
        "composited": scenes.levels(scenes.shown(scene), result.pixels)["max"],
    }


def _switched_off() -> dict[str, object]:
    """Nodes that the user switched off must not come to life."""
    scene = scenes.empty_scene()
    scenes.full_frame_chart(scene, scenes.chart())
    scene.use_nodes = True
    tree = scene.node_tree
    exposure = tree.nodes.new("CompositorNodeExposure")
    exposure.inputs["Exposure"].default_value = 3.0
    tree.links.new(compat.render_socket(tree, scene), exposure.inputs["Image"])
    tree.links.new(exposure.outputs["Image"], compat.output_socket(tree))
    scene.use_nodes = False
    bpy.ops.render.render()
    frame = capture_render_result(bpy.context)
    links = _node_facts(tree)["links"]
    deliver_compositor(deliver_image(results.unchanged(frame), NAME), None, scene, strength=0.0)
    bpy.ops.render.render()
    return {
        "picture": scenes.levels(scenes.shown(scene), frame.pixels)["max"],
        "lost_links": [link for link in links if link not in _node_facts(tree)["links"]],
    }


def rendered_again() -> None:
    """A second run on a render that already shows the first run's result must not work on that result."""
    scene = scenes.empty_scene()
    scenes.full_frame_chart(scene, scenes.chart())
    scene.view_settings.view_transform = "Filmic"
    bpy.ops.render.render()
    first = capture_render_result(bpy.context)
    result = results.result_of(1 - first.pixels, first.encoding)
    node = deliver_compositor(deliver_image(result, NAME), None, scene)
    told = {"same_render": scenes.levels(capture_render_result(bpy.context).pixels, first.pixels)["max"]}
    bpy.ops.render.render()
    before = scenes.scene_state(scene)
    told["render_with_node"] = scenes.levels(capture_render_result(bpy.context).pixels, first.pixels)["max"]
    told["linear"] = float(np.abs(scenes.cells(_linear()) - scenes.chart()).max())
    told["settings"] = scenes.changes(before, scenes.scene_state(scene))
    told["shows_result"] = scenes.levels(scenes.shown(scene), result.pixels)["max"]
    scene.frame_set(scene.frame_current + 1)
    bpy.ops.render.render()
    told["next_frame"] = scenes.levels(scenes.shown(scene), first.pixels)["max"]
    scene.frame_set(scene.frame_current - 1)
    bpy.ops.render.render()
    told["first_frame_again"] = scenes.levels(scenes.shown(scene), result.pixels)["max"]
    node.mute = True
    bpy.ops.render.render()
    told["muted"] = scenes.levels(capture_render_result(bpy.context).pixels, first.pixels)["max"]
    REPORT["rendered_again"] = told


def _linear() -> np.ndarray:
    return capture_render_result(bpy.context, "scene_linear").pixels[..., :3]


for step in (images, textures, compositor, no_compositor, rendered_again):
    step()
addon_parts.write_report(REPORT)
