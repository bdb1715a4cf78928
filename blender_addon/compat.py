# SPDX-License-Identifier: GPL-3.0-or-later
"""Every difference between Blender versions that Lifelike meets, and nothing else.

Blender 5.0 moved the compositor into node groups, gave it the shader editor's Mix and Math nodes,
turned node options into sockets and split `media_type` from `file_format`; from 5.1 on the GPU
context of background mode is made by `gpu.init`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import bpy
import gpu
import numpy as np

GROUPED_COMPOSITOR = bpy.app.version >= (5, 0, 0)
EEVEE = "BLENDER_EEVEE" if bpy.app.version >= (5, 0, 0) else "BLENDER_EEVEE_NEXT"


# Compositor.


def compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree | None:
    """The scene's compositor in use, or None when it has none or it is switched off."""
    if GROUPED_COMPOSITOR:
        return scene.compositing_node_group
    return scene.node_tree if scene.use_nodes else None


def ensure_compositor_tree(scene: bpy.types.Scene) -> bpy.types.NodeTree:
    """The scene's compositor, made (Render Layers straight to the output) or switched on when needed."""
    tree = compositor_tree(scene)
    if tree is not None:
        return tree
    if GROUPED_COMPOSITOR:
        tree = bpy.data.node_groups.new("Compositor", "CompositorNodeTree")
        scene.compositing_node_group = tree
    else:
        had_nodes = scene.node_tree is not None and len(scene.node_tree.nodes) > 0
        scene.use_nodes = True
        tree = scene.node_tree
        if had_nodes:
            # The user's nodes were switched off: the picture was the plain render. Switching their
            # nodes on now changes the picture, so only a bare path from render to output is added.
            _bypass(tree, scene)
            return tree
    _plain_path(tree, scene)
    return tree


def output_socket(tree: bpy.types.NodeTree) -> bpy.types.NodeSocket:
    """The input socket whose picture is the render's result, made where the tree has none."""
    node = _active_output(tree)
    if node is None:
        node = _add_output(tree)
    return next(socket for socket in node.inputs if socket.type == "RGBA")


def render_socket(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> bpy.types.NodeSocket:
    """The Render Layers node's picture, made where the tree has none."""
    layers = next((node for node in tree.nodes if node.bl_idname == "CompositorNodeRLayers"), None)
    if layers is None:
        layers = tree.nodes.new("CompositorNodeRLayers")
        layers.scene = scene
        layers.location = (-300, 0)
    return layers.outputs["Image"]


def rendered_layer(scene: bpy.types.Scene) -> str:
    """Name of the view layer whose render the compositor works on."""
    tree = compositor_tree(scene)
    nodes = tree.nodes if tree is not None else ()
    layers = next((node for node in nodes if node.bl_idname == "CompositorNodeRLayers" and node.scene == scene), None)
    if layers is not None:
        return str(layers.layer)
    used = [layer for layer in scene.view_layers if layer.use]
    return str((used or list(scene.view_layers))[0].name)


def _active_output(tree: bpy.types.NodeTree) -> bpy.types.Node | None:
    kind = "NodeGroupOutput" if GROUPED_COMPOSITOR else "CompositorNodeComposite"
    outputs = [node for node in tree.nodes if node.bl_idname == kind and not node.mute]
    if GROUPED_COMPOSITOR:
        outputs = [node for node in outputs if any(socket.type == "RGBA" for socket in node.inputs)]
        active = [node for node in outputs if node.is_active_output]
        return (active or outputs or [None])[0]
    linked = [node for node in outputs if node.inputs["Image"].is_linked]
    return (linked or outputs or [None])[0]


def _add_output(tree: bpy.types.NodeTree) -> bpy.types.Node:
    if not GROUPED_COMPOSITOR:
        return tree.nodes.new("CompositorNodeComposite")
    sockets = (item for item in tree.interface.items_tree if item.item_type == "SOCKET" and item.in_out == "OUTPUT")
    if not any(item.socket_type == "NodeSocketColor" for item in sockets):
        tree.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
    return tree.nodes.new("NodeGroupOutput")


def _plain_path(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
    """Render Layers → output, in an empty tree or one Blender just filled with its default."""
    rendered, target = render_socket(tree, scene), output_socket(tree)
    if not target.is_linked:
        target.node.location = (300, 0)
        tree.links.new(rendered, target)


def _bypass(tree: bpy.types.NodeTree, scene: bpy.types.Scene) -> None:
    """Leads the untouched render to an output of its own, leaving switched-off nodes as they are."""
    rendered = render_socket(tree, scene)
    for node in [node for node in tree.nodes if node.bl_idname == "CompositorNodeComposite"]:
        node.mute = True
    output = tree.nodes.new("CompositorNodeComposite")
    output.location = (rendered.node.location[0] + 600, rendered.node.location[1] + 300)
    tree.links.new(rendered, output.inputs["Image"])


class Mixer(NamedTuple):
    """A colour mix node and the sockets that matter: picture = a + factor · (b − a)."""

    node: Any
    factor: Any
    a: Any
    b: Any
    picture: Any


def new_color_mix(tree: bpy.types.NodeTree) -> Mixer:
    """A Mix node for colours; keeps the alpha of `a`."""
    if GROUPED_COMPOSITOR:
        node = tree.nodes.new("ShaderNodeMix")
        node.data_type = "RGBA"
        sockets = {socket.identifier: socket for socket in node.inputs}
        picture = next(socket for socket in node.outputs if socket.identifier == "Result_Color")
        return Mixer(node, sockets["Factor_Float"], sockets["A_Color"], sockets["B_Color"], picture)
    node = tree.nodes.new("CompositorNodeMixRGB")
    return Mixer(node, node.inputs[0], node.inputs[1], node.inputs[2], node.outputs[0])


def new_math(tree: bpy.types.NodeTree, operation: str) -> bpy.types.Node:
    """A Math node; inputs 0 and 1, output 0."""
    node = tree.nodes.new("ShaderNodeMath" if GROUPED_COMPOSITOR else "CompositorNodeMath")
    node.operation = operation
    return node


def new_fit_to_render(
    tree: bpy.types.NodeTree, scene: bpy.types.Scene, image: bpy.types.Image
) -> bpy.types.Node | None:
    """A Scale node that stretches `image` to the render's size; input 0, output 0.

    None where the picture fits and Blender's node would spoil it: before 4.5 it rounds the render's size down
    once too often at some resolution percentages (15 % of 960 gives 143), and so resamples a picture that fits.
    """
    if (
        bpy.app.version < (4, 5, 0)
        and render_size(scene) != _size_of_old_scale_node(scene)
        and tuple(image.size) == render_size(scene)
    ):
        return None
    node = tree.nodes.new("CompositorNodeScale")
    if GROUPED_COMPOSITOR:
        node.inputs["Type"].default_value = "Render Size"
        node.inputs["Frame Type"].default_value = "Stretch"
    else:
        node.space = "RENDER_SIZE"
        node.frame_method = "STRETCH"
    return node


def _size_of_old_scale_node(scene: bpy.types.Scene) -> tuple[int, int]:
    render = scene.render
    factor = np.float32(render.resolution_percentage) * np.float32(0.01)
    return int(np.float32(render.resolution_x) * factor), int(np.float32(render.resolution_y) * factor)


def render_size(scene: bpy.types.Scene) -> tuple[int, int]:
    """(width, height) in pixels of a render of the whole frame, rounded as Blender does."""
    render = scene.render
    percentage = render.resolution_percentage
    return max(1, render.resolution_x * percentage // 100), max(1, render.resolution_y * percentage // 100)


# Cycles.


def can_denoise() -> bool:
    """Whether this Blender was built with OpenImageDenoise; those of some Linux distributions are not."""
    try:
        import _cycles
    except ImportError:
        return False
    return bool(getattr(_cycles, "with_openimagedenoise", True))


# Materials.


def ensure_material_nodes(material: bpy.types.Material) -> None:
    """Switches a material's nodes on; from 5.0 on they always are, and asking for them warns."""
    if bpy.app.version < (5, 0, 0) and not material.use_nodes:
        material.use_nodes = True


# Files.

IMAGE_SETTINGS = (
    # In the order in which they may be set: each allows the values of the next.
    *(("media_type",) if bpy.app.version >= (5, 0, 0) else ()),
    "file_format",
    "color_mode",
    "color_depth",
    "compression",
    "quality",
    "exr_codec",
    "tiff_codec",
    "use_preview",
    "views_format",
)


def choose_file_format(settings: bpy.types.ImageFormatSettings, file_format: str, mode: str, depth: str) -> None:
    """Sets a one-layer picture format on `scene.render.image_settings`."""
    if bpy.app.version >= (5, 0, 0) and settings.media_type != "IMAGE":
        settings.media_type = "IMAGE"
    # Setting even the same format again resets the linear colour space of the file.
    if settings.file_format != file_format:
        settings.file_format = file_format
    settings.color_mode = mode
    settings.color_depth = depth


def choose_multilayer(settings: bpy.types.ImageFormatSettings) -> None:
    """Sets uncompressed multilayer OpenEXR with full floats on `scene.render.image_settings`."""
    if bpy.app.version >= (5, 0, 0):
        settings.media_type = "MULTI_LAYER_IMAGE"
    settings.file_format = "OPEN_EXR_MULTILAYER"
    settings.color_depth = "32"
    settings.exr_codec = "NONE"


def working_space_is_rec709() -> bool:
    """Whether Blender's scene-linear values are linear Rec.709 (always so before 5.0)."""
    colorspace = getattr(bpy.data, "colorspace", None)
    return colorspace is None or colorspace.working_space == "Linear Rec.709"


# GPU.


def ensure_gpu() -> None:
    """Makes off-screen drawing possible in background mode.

    Raises:
        SystemError, RuntimeError: this machine has no usable OpenGL, Metal or Vulkan.
    """
    if _gpu_works():
        return
    if hasattr(gpu, "init"):
        gpu.init()
    else:
        _draw_with_workbench()
    if not _gpu_works():
        raise RuntimeError("Blender could not open a GPU context")


def _gpu_works() -> bool:
    try:
        gpu.types.GPUOffScreen(8, 8).free()
    except (SystemError, RuntimeError):
        return False
    return True


def _draw_with_workbench() -> None:
    """One tiny Workbench render in a scene of its own: it opens Blender's GPU context as a side effect."""
    scene = bpy.data.scenes.new("Lifelike GPU")
    camera_data = bpy.data.cameras.new("Lifelike GPU")
    camera = bpy.data.objects.new("Lifelike GPU", camera_data)
    try:
        scene.camera = camera
        scene.render.engine = "BLENDER_WORKBENCH"
        scene.render.resolution_x = scene.render.resolution_y = 8
        with _silent_render_handlers():
            bpy.ops.render.render(scene=scene.name)
    finally:
        bpy.data.scenes.remove(scene)
        bpy.data.objects.remove(camera)
        bpy.data.cameras.remove(camera_data)


@contextmanager
def _silent_render_handlers() -> Iterator[None]:
    """Other add-ons must not take the tiny render for one of the user's."""
    names = [name for name in dir(bpy.app.handlers) if name.startswith(("render_", "composite_"))]
    kept = {name: list(getattr(bpy.app.handlers, name)) for name in names}
    for name in names:
        getattr(bpy.app.handlers, name).clear()
    try:
        yield
    finally:
        for name, functions in kept.items():
            getattr(bpy.app.handlers, name)[:] = functions
