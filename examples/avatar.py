# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait scene from code alone: a stylised human bust, three-point light, portrait camera, plain backdrop.

With the `bpy` wheel:   python examples/avatar.py --save portrait.blend --render portrait.png
With Blender:           blender -b -P examples/avatar.py -- --save portrait.blend
From Python:            scene = avatar.build_scene(Person.random(3).turned(yaw=20).with_expression(smile=0.6))

The 68 iBUG landmarks are the vertex groups `lifelike_00` … `lifelike_67` of the object "Head" (one vertex of weight 1
each); its shape keys smile, mouth_open, brows_up and blink and the armature's bone "head" can be animated.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bust.figure import Figure, build_figure, pose_figure
from bust.landmarks import COUNT
from bust.person import HAIR_STYLES, Expression, HeadTurn, Person
from bust.sitters import SITTERS
from bust.stage import Stage, set_render, set_stage

__all__ = [
    "HAIR_STYLES",
    "SITTERS",
    "Expression",
    "Figure",
    "HeadTurn",
    "Person",
    "Stage",
    "add_person",
    "build_scene",
    "landmarks_in_picture",
    "pose_figure",
]


def build_scene(person: Person | None = None, stage: Stage | None = None, size: int = 512, samples: int = 32) -> Figure:
    """Replace everything in this Blender session by the portrait of `person` and return the figure's objects."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    figure = add_person(person or Person(), scene.collection)
    set_stage(scene, scene.collection, stage or Stage())
    set_render(scene, size, samples)
    bpy.context.view_layer.update()
    return figure


def add_person(person: Person, collection: bpy.types.Collection) -> Figure:
    """Add a person to a collection of the current scene; nothing that is there is changed."""
    return build_figure(person, collection)


def landmarks_in_picture(figure: Figure, scene: bpy.types.Scene) -> list[tuple[float, float]]:
    """The 68 landmarks (x right, y down, pixels; centre of the first pixel 0.5, 0.5) in the scene camera's picture."""
    from bpy_extras.object_utils import world_to_camera_view

    depsgraph = bpy.context.evaluated_depsgraph_get()
    head = figure.head.evaluated_get(depsgraph)
    number_of = {figure.head.vertex_groups[f"lifelike_{number:02d}"].index: number for number in range(COUNT)}
    vertex_of = {}
    for vertex in figure.head.data.vertices:
        for entry in vertex.groups:
            if entry.group in number_of:
                vertex_of[number_of[entry.group]] = vertex.index
    width, height = scene.render.resolution_x, scene.render.resolution_y
    points = []
    for number in range(COUNT):
        place = head.matrix_world @ head.data.vertices[vertex_of[number]].co
        view = world_to_camera_view(scene, scene.camera, place)
        points.append((view.x * width, (1.0 - view.y) * height))
    return points


def main(arguments: list[str] | None = None) -> None:
    """Command line: build a portrait, save it, render it."""
    if arguments is None:
        arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(
        prog="avatar.py", description="Build a portrait scene of a person who does not exist."
    )
    parser.add_argument("--seed", type=int, help="a random person (default: the average face)")
    parser.add_argument("--sitter", choices=sorted(SITTERS), help="one of the portraits shown beside this file")
    parser.add_argument("--yaw", type=float, default=0.0, help="head turn in degrees, to the subject's left")
    parser.add_argument("--pitch", type=float, default=0.0, help="head turn in degrees, upwards")
    parser.add_argument("--roll", type=float, default=0.0, help="head turn in degrees, towards the left shoulder")
    for name in ("smile", "mouth-open", "brows-up", "blink"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="0 to 1")
    parser.add_argument("--size", type=int, default=512, help="pixels a side")
    parser.add_argument("--samples", type=int, default=32, help="Cycles samples a pixel")
    parser.add_argument("--save", type=Path, help="write the scene to this .blend file")
    parser.add_argument("--render", type=Path, help="render to this PNG file")
    chosen = parser.parse_args(arguments)
    if chosen.sitter:
        person, stage = SITTERS[chosen.sitter]
    else:
        person, stage = Person() if chosen.seed is None else Person.random(chosen.seed), Stage()
        levels = {name: getattr(chosen, name) for name in ("smile", "mouth_open", "brows_up", "blink")}
        person = person.turned(chosen.yaw, chosen.pitch, chosen.roll).with_expression(**levels)
    build_scene(person, stage, chosen.size, chosen.samples)
    if chosen.save:
        bpy.ops.wm.save_as_mainfile(filepath=str(chosen.save.resolve()))
    if chosen.render:
        bpy.context.scene.render.filepath = str(chosen.render.resolve())
        bpy.ops.render.render(write_still=True)


if __name__ == "__main__":
    main()
