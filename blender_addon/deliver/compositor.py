# SPDX-License-Identifier: GPL-3.0-or-later
"""The result as a node in the scene's compositor."""

from __future__ import annotations

import bpy

from .. import compat
from ..made_by_lifelike import COMPOSITOR, compositor_node, mark, remember_frame


def deliver_compositor(
    image: bpy.types.Image,
    mask: bpy.types.Image | None,
    scene: bpy.types.Scene,
    strength: float = 1.0,
    frame: int | None = None,
) -> bpy.types.Node:
    """Puts a node group "Lifelike" right before the compositor's output, or updates the one that is there.

    The group holds the result and mixes it over what comes in: Image + Strength · Mask · (result − Image), the
    Mask socket multiplying the mask of the faces. So outside the faces, and with Strength 0, the picture is
    the scene's own. Existing nodes stay where they are; a compositor that was off is switched on with nothing
    but the render in it. On an update Strength and Mask stay as the user has set them.

    A result belongs to one frame: on the others of an animation the node passes the picture on untouched.

    Args:
        image: see `deliver_image`.
        mask: see `deliver_mask`; None: the whole picture.
        scene: whose compositor.
        strength: 0…1, the new node's Strength.
        frame: the scene frame that the result shows; None: the present one.

    Returns:
        The group node.
    """
    tree = compat.ensure_compositor_tree(scene)
    shown_at = scene.frame_current if frame is None else frame
    node = compositor_node(tree)
    if node is not None:
        _fill(node.node_tree, image, mask, scene, shown_at)
        return node
    group = _new_group()
    _fill(group, image, mask, scene, shown_at)
    node = tree.nodes.new("CompositorNodeGroup")
    node.node_tree = group
    node.name = node.label = "Lifelike"
    node.width = 180
    node.inputs["Strength"].default_value = strength
    _insert(tree, node, scene)
    return node


def _insert(tree: bpy.types.NodeTree, node: bpy.types.Node, scene: bpy.types.Scene) -> None:
    """Leads what fed the output through `node`."""
    target = compat.output_socket(tree)
    feeding = target.links[0].from_socket if target.is_linked else compat.render_socket(tree, scene)
    x, y = target.node.location
    node.location = (x - node.width - 20, y + 180)
    tree.links.new(feeding, node.inputs["Image"])
    tree.links.new(node.outputs["Image"], target)


def _new_group() -> bpy.types.NodeTree:
    """The group with its sockets, empty inside."""
    group = bpy.data.node_groups.new("Lifelike", "CompositorNodeTree")
    mark(group, COMPOSITOR)
    group.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    group.interface.new_socket("Image", in_out="INPUT", socket_type="NodeSocketColor")
    for name, description in (
        ("Strength", "How much of the result is shown"),
        ("Mask", "Where the result is shown; multiplies the mask of the faces"),
    ):
        socket = group.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")
        socket.subtype = "FACTOR"
        socket.min_value, socket.max_value, socket.default_value = 0.0, 1.0, 1.0
        socket.description = description
    return group


def _fill(
    group: bpy.types.NodeTree,
    image: bpy.types.Image,
    mask: bpy.types.Image | None,
    scene: bpy.types.Scene,
    frame: int,
) -> None:
    """(Re)builds the inside of the group; its sockets, and so the user's links and values, stay."""
    group.nodes.clear()
    if group.animation_data is not None:
        for driver in list(group.animation_data.drivers):
            group.animation_data.drivers.remove(driver)
    remember_frame(group, frame)
    link = group.links.new
    entry, leave = group.nodes.new("NodeGroupInput"), group.nodes.new("NodeGroupOutput")
    mixer = compat.new_color_mix(group)
    factor = compat.new_math(group, "MULTIPLY")
    gate = _gate(group, frame)
    link(entry.outputs["Strength"], factor.inputs[0])
    link(entry.outputs["Mask"], factor.inputs[1])
    link(factor.outputs[0], gate.inputs[0])
    share = gate.outputs[0]
    if mask is not None:
        masked = compat.new_math(group, "MULTIPLY")
        link(share, masked.inputs[0])
        link(_picture(group, mask, scene, (-600, -250)), masked.inputs[1])
        masked.location = (100, -150)
        share = masked.outputs[0]
    link(share, mixer.factor)
    link(entry.outputs["Image"], mixer.a)
    link(_picture(group, image, scene, (-600, 50)), mixer.b)
    link(mixer.picture, leave.inputs["Image"])
    entry.location, factor.location, gate.location = (-600, 300), (-300, 300), (-100, 250)
    mixer.node.location, leave.location = (300, 200), (550, 200)


def _gate(group: bpy.types.NodeTree, frame: int) -> bpy.types.Node:
    """A factor that is 1 on one frame and 0 on all others; input 0, output 0."""
    gate = compat.new_math(group, "MULTIPLY")
    gate.label = f"Frame {frame}"
    gate.inputs[1].default_value = 1.0
    # A simple expression: it needs no permission to run scripts.
    gate.inputs[1].driver_add("default_value").driver.expression = f"frame == {frame}"
    return gate


def _picture(
    group: bpy.types.NodeTree, image: bpy.types.Image, scene: bpy.types.Scene, location: tuple[float, float]
) -> bpy.types.NodeSocket:
    """An image, stretched to the render's size so that it still fits at another resolution percentage."""
    source = group.nodes.new("CompositorNodeImage")
    source.image = image
    source.location = location
    fit = compat.new_fit_to_render(group, scene, image)
    if fit is None:
        return source.outputs["Image"]
    fit.location = (location[0] + 300, location[1])
    group.links.new(source.outputs["Image"], fit.inputs[0])
    return fit.outputs[0]
