# SPDX-License-Identifier: GPL-3.0-or-later
"""Which data blocks and nodes Lifelike made, so that only these are updated in place."""

from __future__ import annotations

import bpy

from . import compat

COMPOSITOR = "compositor"
TEXTURE = "texture"
_MARK = "lifelike"
_FRAME = "lifelike_frame"
_TERMS = "lifelike_terms"


def mark(made: bpy.types.ID | bpy.types.Node, role: str) -> None:
    """Remembers on `made` that Lifelike made it, and what for."""
    made[_MARK] = role


def is_marked(found: bpy.types.ID | bpy.types.Node, role: str) -> bool:
    """Whether Lifelike made this one for the same purpose."""
    return found.get(_MARK) == role


def remember_terms(made: bpy.types.ID, text: str) -> None:
    """Keeps with a result, also in a saved file, what its use is bound to; "" for nothing."""
    if text:
        made[_TERMS] = text
    elif _TERMS in made:
        del made[_TERMS]


def compositor_node(tree: bpy.types.NodeTree) -> bpy.types.Node | None:
    """The node group "Lifelike" of a compositor, whatever its name is now."""
    groups = (node for node in tree.nodes if node.bl_idname == "CompositorNodeGroup" and node.node_tree is not None)
    return next((node for node in groups if is_marked(node.node_tree, COMPOSITOR)), None)


def remember_frame(group: bpy.types.NodeTree, frame: int) -> None:
    """Remembers on the compositor's node group which scene frame its result shows."""
    group[_FRAME] = frame


def shows_in_renders(scene: bpy.types.Scene) -> bool:
    """Whether a render of `scene` comes out with Lifelike's result in it."""
    tree = compat.compositor_tree(scene)
    node = compositor_node(tree) if tree is not None and scene.render.use_compositing else None
    if node is None or node.mute or not node.outputs["Image"].is_linked:
        return False
    if node.node_tree.get(_FRAME) != scene.frame_current:
        return False
    sockets = (node.inputs["Strength"], node.inputs["Mask"])
    return all(socket.is_linked or socket.default_value > 0 for socket in sockets)
