# SPDX-License-Identifier: GPL-3.0-or-later
"""Small scenes whose pictures are known, and what tests do with them. Runs inside Blender."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy
import numpy as np

SHARED_SCENES = Path(os.environ["LIFELIKE_SHARED"]) / "heads" / "scenes"
CELLS = 8


def empty_scene(width: int = 64, height: int = 64) -> bpy.types.Scene:
    """A new file with nothing but a scene; Cycles with one sample, one light path, no denoiser."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 0.01
    scene.render.dither_intensity = 0.0
    scene.render.resolution_x, scene.render.resolution_y = width, height
    scene.render.resolution_percentage = 100
    scene.view_settings.view_transform = "Standard"
    scene.view_settings.look = "None"
    return scene


def chart(seed: int = 0) -> np.ndarray:
    """(CELLS, CELLS, 3) scene-linear colours, skin tones above and strong colours below, row 0 on top."""
    random = np.random.default_rng(seed)
    skin = np.array([0.5, 0.3, 0.2]) * 2.0 ** random.uniform(-3, 1.5, (CELLS // 2, CELLS, 1))
    skin = skin * random.uniform(0.9, 1.1, (CELLS // 2, CELLS, 3))
    strong = random.uniform(0.05, 0.9, (CELLS - CELLS // 2, CELLS, 3))
    return np.concatenate([skin, strong]).astype(np.float32)


def full_frame_chart(scene: bpy.types.Scene, colours: np.ndarray) -> None:
    """A glowing plane that fills an orthographic camera's picture with a grid of scene-linear colours."""
    image = bpy.data.images.new("chart", CELLS, CELLS, float_buffer=True)
    with_alpha = np.concatenate([colours, np.ones((CELLS, CELLS, 1), np.float32)], axis=2)
    image.pixels.foreach_set(np.ascontiguousarray(with_alpha[::-1]).ravel())
    image.update()
    image.pack()
    mesh = bpy.data.meshes.new("plane")
    mesh.from_pydata([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], [], [(0, 1, 2, 3)])
    for loop, corner in zip(mesh.uv_layers.new().data, ((0, 0), (1, 0), (1, 1), (0, 1)), strict=True):
        loop.uv = corner
    plane = bpy.data.objects.new("plane", mesh)
    scene.collection.objects.link(plane)
    material = bpy.data.materials.new("chart")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    texture, emission = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeEmission")
    output = nodes.new("ShaderNodeOutputMaterial")
    texture.image = image
    texture.interpolation = "Closest"
    material.node_tree.links.new(texture.outputs["Color"], emission.inputs["Color"])
    material.node_tree.links.new(emission.outputs["Emission"], output.inputs["Surface"])
    mesh.materials.append(material)
    add_camera(scene, location=(0, 0, 2), orthographic=2.0)


def add_camera(
    scene: bpy.types.Scene,
    location: tuple[float, float, float],
    rotation: tuple[float, float, float] = (0, 0, 0),
    orthographic: float = 0.0,
) -> bpy.types.Object:
    """A camera, the scene's; `orthographic` is its scale, 0 means perspective."""
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    camera.location, camera.rotation_euler = location, rotation
    if orthographic:
        camera.data.type, camera.data.ortho_scale = "ORTHO", orthographic
    scene.collection.objects.link(camera)
    scene.camera = camera
    bpy.context.view_layer.update()
    return camera


def cells(pixels: np.ndarray) -> np.ndarray:
    """The middle pixel of each cell of a picture of the chart: (CELLS, CELLS, C)."""
    step_y, step_x = pixels.shape[0] // CELLS, pixels.shape[1] // CELLS
    return pixels[step_y // 2 :: step_y, step_x // 2 :: step_x][:CELLS, :CELLS]


def srgb(linear: np.ndarray) -> np.ndarray:
    """IEC 61966-2-1 encoding of linear values, clipped to 0…1."""
    clipped = np.clip(linear, 0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def levels(one: np.ndarray, other: np.ndarray) -> dict[str, float]:
    """How far two display pictures (0…1) lie apart, in 8-bit levels."""
    difference = np.abs(one.astype(np.float64) - other.astype(np.float64)) * 255
    return {
        "mean": float(difference.mean()),
        "p99": float(np.percentile(difference, 99)),
        "max": float(difference.max()),
    }


def shown(scene: bpy.types.Scene, image: bpy.types.Image | None = None) -> np.ndarray:
    """(H, W, 3) display pixels of an image, by default the render result, through the scene's view, in 16 bits."""
    settings = scene.render.image_settings
    settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGB", "16"
    path = Path.cwd() / "shown.png"
    (image or bpy.data.images["Render Result"]).save_render(str(path), scene=scene)
    saved = bpy.data.images.load(str(path), check_existing=False)
    saved.colorspace_settings.name = "Non-Color"
    values = np.empty(len(saved.pixels), np.float32)
    saved.pixels.foreach_get(values)
    values = values.reshape(saved.size[1], saved.size[0], saved.channels)[::-1, :, :3]
    bpy.data.images.remove(saved)
    return values


def properties(owner: Any, depth: int = 2) -> dict[str, Any]:
    """Every property of a Blender struct and of the structs it holds, as plain values, to compare."""
    found: dict[str, Any] = {}
    for known in owner.bl_rna.properties:
        name = known.identifier
        if name == "rna_type":
            continue
        value = getattr(owner, name, None)
        if known.type in ("BOOLEAN", "INT", "FLOAT"):
            found[name] = list(value) if known.array_length else value
        elif known.type in ("STRING", "ENUM"):
            found[name] = sorted(value) if isinstance(value, set) else value
        elif known.type == "POINTER" and value is not None and depth and not isinstance(value, bpy.types.ID):
            found[name] = properties(value, depth - 1)
    return found


def scene_state(scene: bpy.types.Scene) -> dict[str, Any]:
    """All settings of a scene that a capture could touch."""
    render = properties(scene.render)
    if not scene.render.image_settings.has_linear_colorspace:
        # Means nothing for such a file format; Blender sets it anew whenever a format is chosen.
        render["image_settings"].pop("linear_colorspace_settings")
    return {
        "render": render,
        "view": properties(scene.view_settings),
        "display": properties(scene.display_settings),
        "frame": scene.frame_current,
        "scenes": sorted(other.name for other in bpy.data.scenes),
        "objects": sorted(item.name for item in bpy.data.objects),
        "images": sorted(image.name for image in bpy.data.images if image.type != "RENDER_RESULT"),
    }


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Names of the settings that differ."""
    changed = []
    for name in before.keys() | after.keys():
        one, other = before.get(name), after.get(name)
        if isinstance(one, dict) and isinstance(other, dict):
            changed += [f"{name}.{inner}" for inner in changes(one, other)]
        elif one != other:
            changed.append(f"{name}: {one} → {other}")
    return sorted(changed)


def error_of(function: Any, *arguments: Any) -> dict[str, str]:
    """Code, sentence and remedy of the LifelikeError that a call raises; empty when it raises none."""
    from lifelike_protocol.errors import LifelikeError

    try:
        function(*arguments)
    except LifelikeError as error:
        return {"code": error.code.value, "what": error.what, "remedy": error.remedy}
    return {}
