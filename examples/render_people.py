# SPDX-License-Identifier: GPL-3.0-or-later
"""Portraits of random people, cropped as FFHQ crops faces, with their landmarks: training pictures of the render look.

    python examples/render_people.py --count 60 --poses 3 --seed 0 -o DIR --size 192

Writes `NNNNN_P_render.png` (person, pose) and one line for each to `index.jsonl`: identity, pose, file, size, yaw and
pitch in degrees (yaw > 0: the camera stands on the subject's left; pitch > 0: above), attributes and `lm68` in pixels
(x right, y down, centre of the first pixel 0.5, 0.5). Pictures already listed there are not rendered again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from dataclasses import asdict
from math import atan2, hypot
from pathlib import Path

import bpy
from mathutils import Matrix

sys.path.insert(0, str(Path(__file__).resolve().parent))

from avatar import Figure, Person, Stage, build_scene, landmarks_in_picture


def face_quad(points: list[tuple[float, float]]) -> tuple[float, float, float, float]:
    """Centre x and y, side length and angle (radians, y down) of FFHQ's crop for 68 landmarks in pixels."""

    def mean(numbers: range) -> tuple[float, float]:
        return sum(points[n][0] for n in numbers) / len(numbers), sum(points[n][1] for n in numbers) / len(numbers)

    left, right = mean(range(36, 42)), mean(range(42, 48))
    mouth = ((points[48][0] + points[54][0]) / 2.0, (points[48][1] + points[54][1]) / 2.0)
    eyes = ((left[0] + right[0]) / 2.0, (left[1] + right[1]) / 2.0)
    across = (right[0] - left[0], right[1] - left[1])
    down = (mouth[0] - eyes[0], mouth[1] - eyes[1])
    axis = (across[0] + down[1], across[1] - down[0])
    half = max(hypot(*across) * 2.0, hypot(*down) * 1.8)
    return eyes[0] + 0.1 * down[0], eyes[1] + 0.1 * down[1], 2.0 * half, atan2(axis[1], axis[0])


def aim_as_ffhq(figure: Figure, scene: bpy.types.Scene) -> None:
    """Roll, zoom and shift the scene's camera so that its picture is FFHQ's crop of the face."""
    camera, size = scene.camera, scene.render.resolution_x
    *_, angle = face_quad(landmarks_in_picture(figure, scene))
    bpy.context.view_layer.update()
    camera.matrix_world = camera.matrix_world @ Matrix.Rotation(-angle, 4, "Z")
    bpy.context.view_layer.update()
    x, y, side, _ = face_quad(landmarks_in_picture(figure, scene))
    zoom = size / side
    camera.data.lens *= zoom
    camera.data.shift_x = (x - size / 2.0) / size * zoom
    camera.data.shift_y = -(y - size / 2.0) / size * zoom
    bpy.context.view_layer.update()


def random_sitting(person: Person, dice: random.Random) -> tuple[Person, Stage]:
    """The person with an expression and a head turn, and a stage with other light, backdrop and camera place."""
    smiling = dice.random() < 0.6
    levels = {
        "smile": dice.uniform(0.2, 1.0) if smiling else 0.0,
        "mouth_open": dice.uniform(0.1, 0.6) if dice.random() < 0.3 else 0.0,
        "brows_up": dice.uniform(0.3, 1.0) if dice.random() < 0.25 else 0.0,
        "blink": dice.uniform(0.0, 0.35),
        "gaze_yaw": dice.gauss(0.0, 5.0),
        "gaze_pitch": dice.gauss(0.0, 2.5),
    }
    person = person.with_expression(**levels)
    person = person.turned(dice.uniform(-14.0, 14.0), dice.uniform(-5.0, 5.0), dice.uniform(-5.0, 5.0))
    stage = Stage(
        key_angle=dice.choice((-1.0, 1.0)) * dice.uniform(5.0, 65.0),
        key_height=dice.uniform(10.0, 50.0),
        key_power=dice.uniform(15.0, 28.0),
        fill_power=dice.uniform(3.0, 10.0),
        rim_power=dice.choice((0.0, dice.uniform(8.0, 30.0))),
        light_size=dice.uniform(0.08, 0.5),
        ambient=dice.uniform(0.15, 0.45),
        backdrop=(dice.uniform(0.02, 0.7), dice.uniform(0.02, 0.7), dice.uniform(0.02, 0.7)),
        camera_yaw=dice.uniform(-18.0, 18.0),
        camera_pitch=dice.uniform(-5.0, 8.0),
        distance=dice.uniform(0.9, 1.5),
    )
    return person, stage


def render_person(number: int, pose: int, seed: int, folder: Path, size: int, samples: int) -> dict[str, object]:
    """Render one portrait and return its line of the index."""
    sitter = Person.random(seed * 100003 + number)
    person, stage = random_sitting(sitter, random.Random(f"sitting {seed} {number} {pose}"))
    figure = build_scene(person, stage, size, samples)
    scene = bpy.context.scene
    aim_as_ffhq(figure, scene)
    name = f"{number:05d}_{pose}_render.png"
    scene.render.filepath = str(folder / f".{name}")
    bpy.ops.render.render(write_still=True)
    (folder / f".{name}").replace(folder / name)
    attributes = asdict(sitter)
    attributes.pop("expression")
    attributes.pop("turn")
    return {
        "identity": f"avatar-{seed}-{number:05d}",
        "pose": pose,
        "render": name,
        "size": size,
        "yaw": round(stage.camera_yaw - person.turn.yaw, 2),
        "pitch": round(stage.camera_pitch - person.turn.pitch, 2),
        "roll": round(person.turn.roll, 2),
        "expression": asdict(person.expression),
        "attributes": attributes,
        "lm68": [[round(x, 2), round(y, 2)] for x, y in landmarks_in_picture(figure, scene)],
    }


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    if arguments is None:
        arguments = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    parser = argparse.ArgumentParser(prog="render_people.py", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=10, help="people")
    parser.add_argument("--first", type=int, default=0, help="number of the first person")
    parser.add_argument("--poses", type=int, default=1, help="pictures of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--samples", type=int, default=16, help="Cycles samples a pixel")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    chosen = parser.parse_args(arguments)
    folder = chosen.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    index = folder / "index.jsonl"
    done = {json.loads(line)["render"] for line in index.read_text().splitlines()} if index.exists() else set()
    for number in range(chosen.first, chosen.first + chosen.count):
        for pose in range(chosen.poses):
            if f"{number:05d}_{pose}_render.png" in done:
                continue
            entry = render_person(number, pose, chosen.seed, folder, chosen.size, chosen.samples)
            with index.open("a") as lines:
                lines.write(json.dumps(entry) + "\n")
            print(entry["render"], flush=True)


if __name__ == "__main__":
    main()
