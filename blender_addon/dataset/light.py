# SPDX-License-Identifier: GPL-3.0-or-later
"""Light: a panorama turned and scaled, and a key light; the scene's own lights are off meanwhile."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from lifelike_protocol.shots import ShotSettings

from .borrowed import Borrowed
from .camera import angles, direction, looking_at
from .crop import FaceFrame

_PANORAMAS = (".exr", ".hdr")
_KEY_DISTANCE = 1.5
"""Metres from the face to the key light: within a room, beyond the hair."""
_KEY_WARMTH = 0.06
"""Standard deviation of the key light's red, and of its blue the other way."""


def own_panoramas() -> list[Path]:
    """Blender's studio lights (Poly Haven, CC0, see the licence beside them), sorted by name."""
    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    if not folder.is_dir():
        folder = Path(bpy.utils.system_resource("DATAFILES")) / "studiolights" / "world"
    return panoramas_in([folder])


def panoramas_in(places: Sequence[Path]) -> list[Path]:
    """Files named, and those of the folders named, sorted by name."""
    found = []
    for place in places:
        inside = place.iterdir() if place.is_dir() else [place]
        found += [file for file in inside if file.suffix.lower() in _PANORAMAS]
    return sorted(set(found), key=lambda file: (file.name, str(file)))


def draw_light(
    scene: bpy.types.Scene,
    face: FaceFrame,
    panoramas: Sequence[Path],
    settings: ShotSettings,
    dice: random.Random,
    lent: Borrowed,
) -> dict[str, Any]:
    """Lights the face, unless the scene's own lights are to be kept; returns what was drawn."""
    if settings.keep_lights:
        return {}
    for item in scene.objects:
        if item.type == "LIGHT":
            lent.set(item, "hide_render", True)
    ambient, lit = dice.uniform(*settings.ambient), dice.random() < settings.lit
    # Without a key light its share comes from all around.
    drawn: dict[str, Any] = {"ambient": round(ambient if lit else ambient + dice.uniform(*settings.key), 4)}
    turn = dice.uniform(-180.0, 180.0)
    colour = [round(dice.uniform(0.6, 1.0), 3) for _ in range(3)]
    panorama = panoramas[dice.randrange(len(panoramas))] if panoramas else None
    if panorama is not None:
        drawn |= {"panorama": panorama.name, "panorama_turn": round(turn, 2)}
    else:
        drawn["colour"] = colour
    lent.set(scene, "world", _world(panorama, math.radians(turn), colour, drawn["ambient"], lent))
    if lit:
        drawn["key"] = _add_key(scene, face, settings, dice, lent)
    bpy.context.view_layer.update()
    return drawn


def _world(panorama: Path | None, turn: float, colour: list[float], radiance: float, lent: Borrowed) -> bpy.types.World:
    """Surroundings of that mean radiance."""
    world = bpy.data.worlds.new("Lifelike shot")
    lent.made(bpy.data.worlds, world)
    if not world.node_tree:
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    nodes.clear()
    output, background = nodes.new("ShaderNodeOutputWorld"), nodes.new("ShaderNodeBackground")
    links.new(background.outputs["Background"], output.inputs["Surface"])
    if panorama is None:
        background.inputs["Color"].default_value = (*colour, 1.0)
        background.inputs["Strength"].default_value = radiance
        return world
    image = bpy.data.images.load(str(panorama), check_existing=False)
    lent.made(bpy.data.images, image)
    texture, mapping = nodes.new("ShaderNodeTexEnvironment"), nodes.new("ShaderNodeMapping")
    place = nodes.new("ShaderNodeTexCoord")
    texture.image = image
    mapping.inputs["Rotation"].default_value[2] = turn
    links.new(place.outputs["Generated"], mapping.inputs["Vector"])
    links.new(mapping.outputs["Vector"], texture.inputs["Vector"])
    links.new(texture.outputs["Color"], background.inputs["Color"])
    background.inputs["Strength"].default_value = radiance / max(_mean_radiance(image), 1e-6)
    return world


def _mean_radiance(image: bpy.types.Image) -> float:
    """Over the sphere: rows of an equirectangular picture count by the cosine of their latitude."""
    width, height = image.size
    values = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(values)
    rows = values.reshape(height, width, image.channels)[..., :3].mean(axis=1) @ np.array([0.2126, 0.7152, 0.0722])
    weights = np.cos((np.arange(height) + 0.5) / height * np.pi - np.pi / 2)
    # A sun in the picture is light, too, but must not leave the rest dark.
    return float((np.minimum(rows, 50.0) * weights).sum() / weights.sum())


def _add_key(
    scene: bpy.types.Scene, face: FaceFrame, settings: ShotSettings, dice: random.Random, lent: Borrowed
) -> dict[str, float]:
    """A round lamp that looks at the face from beside and above the camera."""
    yaw, pitch = angles(face, scene.camera.matrix_world.translation) if scene.camera else (0.0, 0.0)
    side = dice.choice((-1.0, 1.0)) * dice.uniform(*settings.key_azimuth)
    height = dice.uniform(*settings.key_elevation)
    strength, size = dice.uniform(*settings.key), dice.uniform(*settings.key_size)
    warmth = dice.gauss(0.0, _KEY_WARMTH)
    data = bpy.data.lights.new("Lifelike key", "AREA")
    lent.made(bpy.data.lights, data)
    lamp = bpy.data.objects.new("Lifelike key", data)
    lent.made(bpy.data.objects, lamp)
    scene.collection.objects.link(lamp)
    distance = _KEY_DISTANCE * face.metre
    towards = direction(face, yaw + side, max(-89.0, min(89.0, pitch + height)))
    lamp.matrix_world = looking_at(face, towards, distance)
    data.shape, data.size = "DISK", size * face.metre
    data.color = (1.0 + max(warmth, -0.3), 1.0, 1.0 - min(warmth, 0.3))
    # A lamp of P watts shines on a small surface facing it with P / (π d²); a white one then shows 1/π of that.
    data.energy = math.pi**2 * distance**2 * strength
    lamp.visible_camera = False
    return {
        "azimuth": round(yaw + side, 2),
        "elevation": round(pitch + height, 2),
        "strength": round(strength, 4),
        "size": round(size, 4),
        "warmth": round(warmth, 4),
    }
