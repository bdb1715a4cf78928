# SPDX-License-Identifier: GPL-3.0-or-later
"""The example avatar: what it is made of, where its landmarks are, and what its parameters and expressions move."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
sys.path.insert(0, str(EXAMPLES))

import avatar  # noqa: E402  (the example is found beside the repository's code, not installed)

SIZE = 400


def places(item: bpy.types.Object) -> np.ndarray:
    """The vertices (N, 3) of an object's mesh as modelled."""
    values = np.empty(len(item.data.vertices) * 3, np.float32)
    item.data.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def landmark_groups(head: bpy.types.Object) -> dict[str, list[tuple[int, float]]]:
    """(vertex, weight) pairs of every landmark group."""
    names = {group.index: group.name for group in head.vertex_groups if group.name.startswith("lifelike_")}
    members: dict[str, list[tuple[int, float]]] = {name: [] for name in names.values()}
    for vertex in head.data.vertices:
        for entry in vertex.groups:
            if entry.group in names:
                members[names[entry.group]].append((vertex.index, entry.weight))
    return members


def picture(figure: avatar.Figure, person: avatar.Person) -> list[tuple[float, float]]:
    """The landmarks (68, 2) in the camera's picture after posing the figure."""
    avatar.pose_figure(figure, person)
    bpy.context.view_layer.update()
    return avatar.landmarks_in_picture(figure, bpy.context.scene)


def main() -> None:
    """Measure and write the report."""
    person = avatar.Person.random(4)
    neutral = replace(person, expression=avatar.Expression(), turn=avatar.HeadTurn())
    figure = avatar.build_scene(neutral, size=SIZE, samples=1)
    report: dict[str, object] = {
        "groups": landmark_groups(figure.head),
        "keys": [key.name for key in figure.head.data.shape_keys.key_blocks],
        "lights": sum(item.type == "LIGHT" for item in bpy.context.scene.objects),
        "camera": bpy.context.scene.camera is not None,
        "finite": all(np.isfinite(places(item)).all() for item in bpy.context.scene.objects if item.type == "MESH"),
        "eyes": [list(eye.matrix_world.translation) for eye in figure.eyes],
        "neutral": picture(figure, neutral),
        "smile": picture(figure, neutral.with_expression(smile=1.0)),
        "mouth_open": picture(figure, neutral.with_expression(mouth_open=1.0)),
        "brows_up": picture(figure, neutral.with_expression(brows_up=1.0)),
        "blink": picture(figure, neutral.with_expression(blink=1.0)),
        "turned": picture(figure, neutral.turned(yaw=25.0)),
        "pitched": picture(figure, neutral.turned(pitch=12.0)),
        "rolled": picture(figure, neutral.turned(roll=15.0)),
    }
    avatar.pose_figure(figure, neutral)
    before = places(figure.head)
    from bust.skin import build_skin

    skin = build_skin(neutral).vertices
    changed = {}
    for name in ("face_width", "jaw_width", "chin_length", "nose_length", "nose_width", "lip_fullness", "eye_spacing"):
        moved = build_skin(replace(neutral, **{name: getattr(neutral, name) + 0.6})).vertices
        changed[name] = float(np.abs(moved - skin).max())
    report["changed"] = changed
    report["skin_is_the_mesh"] = float(np.abs(before[: len(skin)] * 100.0 - skin).max())
    report["styles"] = {}
    for style in avatar.HAIR_STYLES:
        from bust.hair import build_hair

        parts = build_hair(replace(neutral, hair_style=style))
        report["styles"][style] = {
            "vertices": sum(len(part.vertices) for part in parts),
            "finite": all(bool(np.isfinite(part.vertices).all()) for part in parts),
        }
    Path(sys.argv[1]).write_text(json.dumps(report), encoding="utf-8")


main()
