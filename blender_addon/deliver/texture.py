# SPDX-License-Identifier: GPL-3.0-or-later
"""The result as an image texture on an object's active material."""

from __future__ import annotations

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError

from .. import compat
from ..made_by_lifelike import TEXTURE, is_marked, mark

_COLOUR_SOCKETS = ("Base Color", "Color")


def deliver_texture(image: bpy.types.Image, item: bpy.types.Object) -> bpy.types.Node:
    """Adds an Image Texture node called "Lifelike" to the object's active material, or updates it.

    Nothing the material has is replaced: the node is wired to the surface's colour only where nothing was
    wired to it; otherwise it stands unconnected beside it. An object without a material gets one that glows
    with the picture, so that no light changes it. A mesh without a UV map is mapped by window coordinates:
    through the camera it shows the picture where the picture was taken.

    Returns:
        The image texture node.

    Raises:
        LifelikeError: `INVALID_SETTING` when the object cannot hold materials, or its material is linked
            from another file.
    """
    _require_materials(item)
    material = item.active_material
    made_here = material is None
    if material is None:
        material = _new_material(item)
    if material.library is not None:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The material “{material.name}” belongs to another file.",
            "Make it local (Object › Relations › Make Local), or choose another object.",
        )
    compat.ensure_material_nodes(material)
    tree = material.node_tree
    node = next((node for node in tree.nodes if is_marked(node, TEXTURE)), None)
    if node is None:
        node = _new_texture_node(tree, item)
        _connect(tree, node, glowing=made_here)
    node.image = image
    return node


def _require_materials(item: bpy.types.Object) -> None:
    if item.data is None or not hasattr(item.data, "materials"):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, f"The object “{item.name}” cannot have a material.", "Choose a mesh object."
        )


def _new_material(item: bpy.types.Object) -> bpy.types.Material:
    if item.data.library is not None:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The object “{item.name}” belongs to another file.",
            "Make it local (Object › Relations › Make Local), or choose another object.",
        )
    material = bpy.data.materials.new(f"{item.name} Lifelike")
    if item.material_slots:
        item.active_material = material
    else:
        item.data.materials.append(material)
    return material


def _new_texture_node(tree: bpy.types.NodeTree, item: bpy.types.Object) -> bpy.types.Node:
    node = tree.nodes.new("ShaderNodeTexImage")
    node.name = node.label = "Lifelike"
    mark(node, TEXTURE)
    surface = _surface_shader(tree)
    if surface is not None:
        node.location = (surface.location[0] - 350, surface.location[1])
    if item.type == "MESH" and not item.data.uv_layers:
        coordinates = tree.nodes.new("ShaderNodeTexCoord")
        coordinates.name = coordinates.label = "Lifelike Coordinates"
        coordinates.location = (node.location[0] - 200, node.location[1])
        tree.links.new(coordinates.outputs["Window"], node.inputs["Vector"])
    return node


def _connect(tree: bpy.types.NodeTree, node: bpy.types.Node, glowing: bool) -> None:
    surface = _surface_shader(tree)
    if surface is None:
        return
    if glowing and "Emission Color" in surface.inputs:
        surface.inputs["Base Color"].default_value = (0, 0, 0, 1)
        surface.inputs["Specular IOR Level"].default_value = 0
        surface.inputs["Emission Strength"].default_value = 1
        tree.links.new(node.outputs["Color"], surface.inputs["Emission Color"])
        return
    for name in _COLOUR_SOCKETS:
        socket = surface.inputs.get(name)
        if socket is not None and socket.type == "RGBA":
            if not socket.is_linked:
                tree.links.new(node.outputs["Color"], socket)
            return


def _surface_shader(tree: bpy.types.NodeTree) -> bpy.types.Node | None:
    """The node whose shader the material's output shows."""
    output = tree.get_output_node("ALL")
    if output is None or not output.inputs["Surface"].is_linked:
        return None
    return output.inputs["Surface"].links[0].from_node
