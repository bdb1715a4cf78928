# SPDX-License-Identifier: GPL-3.0-or-later
"""Expressions as displacements of the skin's vertices, one (N, 3) array of centimetres for each shape key."""

from __future__ import annotations

import numpy as np

from .anatomy import EYE_RADIUS
from .chart import chart_of, lay_rings
from .distance import Array, smoothstep
from .person import Person
from .skin import Skin, lid_edge, loop_parameters, on_surface

JAW_HINGE = (-0.3, -2.5)
JAW_ANGLE = np.radians(15.0)


def expression_keys(person: Person, skin: Skin) -> dict[str, Array]:
    """Displacements at full strength: smile, mouth_open, brows_up, blink."""
    return {
        "smile": _smile(skin),
        "mouth_open": _mouth_open(skin),
        "brows_up": _brows_up(skin),
        "blink": _blink(person, skin),
    }


def _near(points: Array, centre: tuple[float, float, float], size: tuple[float, float, float]) -> Array:
    """A soft 1…0 spot on both sides of the face."""
    folded = np.concatenate((np.abs(points[:, 0:1]), points[:, 1:3]), axis=1)
    return np.asarray(np.exp(-(((folded - centre) / np.array(size)) ** 2).sum(axis=1)))


def _upper_lip(skin: Skin) -> Array:
    """+1 for vertices that belong to the upper jaw around the mouth, -1 for the lower, by ring columns or height."""
    side = np.where(skin.vertices[:, 2] > skin.place.mouth_z, 1.0, -1.0)
    for rings in (skin.rings["mouth"], skin.margins["mouth"]):
        side[rings] = np.where(loop_parameters(rings.shape[1]) < 1.0, 1.0, -1.0)
    return np.asarray(side)


def _smile(skin: Skin) -> Array:
    p, place = skin.vertices, skin.place
    sign = np.sign(p[:, 0])
    corner = _near(p, (place.mouth_half, place.lips_y + 0.7, place.mouth_z), (1.5, 3.0, 1.35))
    cheek = _near(p, (4.3, -7.0, -3.6), (1.7, 2.5, 1.5))
    lid = _near(p, (place.eye[0], -7.9, -1.1), (1.7, 1.5, 0.55))
    middle = np.exp(-((p[:, 0] / 1.6) ** 2)) * np.exp(-(((p[:, 2] - place.mouth_z) / 1.5) ** 2)) * (p[:, 1] < -5.0)
    move = np.zeros_like(p)
    move[:, 0] = sign * (0.52 * corner + 0.12 * cheek)
    move[:, 1] = 0.34 * corner - 0.30 * cheek + 0.14 * middle
    move[:, 2] = 0.55 * corner + 0.30 * cheek + 0.10 * lid - 0.04 * middle
    return move


def _mouth_open(skin: Skin) -> Array:
    p, place = skin.vertices, skin.place
    across = np.abs(p[:, 0]) / place.mouth_half
    sharp = np.where(_upper_lip(skin) > 0.0, 0.0, 1.0)
    soft = smoothstep(place.mouth_z + 2.4, place.mouth_z - 2.0, p[:, 2])
    beside = smoothstep(0.55, 1.15, across)
    lower = sharp + (soft - sharp) * beside
    reach = smoothstep(1.5, -3.5, p[:, 1])
    throat = np.ones(len(p))
    rows = skin.chart.points[:, 1]
    throat[: len(rows)] = smoothstep(-72.0, -53.0, rows)
    angle = JAW_ANGLE * lower * reach * throat
    y, z = p[:, 1] - JAW_HINGE[0], p[:, 2] - JAW_HINGE[1]
    move = np.zeros_like(p)
    # Turning forward-down about the hinge: the chin goes down and back.
    move[:, 1] = y * np.cos(angle) - z * np.sin(angle) - y
    move[:, 2] = y * np.sin(angle) + z * np.cos(angle) - z
    corner = _near(p, (place.mouth_half, place.lips_y + 0.7, place.mouth_z), (1.2, 2.5, 1.2))
    raised = (
        np.exp(-((p[:, 0] / 1.9) ** 2)) * np.exp(-(((p[:, 2] - place.mouth_z - 0.4) / 0.8) ** 2)) * (p[:, 1] < -6.0)
    )
    move[:, 2] += 0.16 * raised * (1.0 - lower)
    move[:, 0] -= np.sign(p[:, 0]) * 0.18 * corner
    return move


def _brows_up(skin: Skin) -> Array:
    p, place = skin.vertices, skin.place
    lift = _near(p, (2.6, -7.8, place.brow_z + 0.5), (2.6, 3.0, 1.7)) * smoothstep(0.75, 1.7, p[:, 2])
    middle = np.exp(-((p[:, 0] / 1.5) ** 2)) * np.exp(-(((p[:, 2] - 2.4) / 1.5) ** 2)) * (p[:, 1] < -5.0) * 0.5
    move = np.zeros_like(p)
    move[:, 2] = 0.62 * np.maximum(lift, middle * smoothstep(0.75, 1.7, p[:, 2]))
    move[:, 1] = 0.10 * lift
    return move


def _blink(person: Person, skin: Skin) -> Array:
    """Lay the lids' rings again with the upper lid lowered, and see how far every ring vertex has moved."""
    move = np.zeros_like(skin.vertices)
    chart = skin.chart
    before = chart.points.copy()
    for name, side in (("eye_left", 1.0), ("eye_right", -1.0)):
        rings = chart.rings[name]
        inner = rings[:-1].ravel()
        edge = lid_edge(skin.place, rings.shape[1], side, closed=1.0)
        lay_rings(chart, name, chart_of(edge))
        move[inner] = on_surface(person, chart.points[inner]) - skin.vertices[inner]
        centre = np.array((skin.place.eye[0] * side, skin.place.eye[1], skin.place.eye[2]))
        outward = skin.vertices[rings[0]] + move[rings[0]] - centre
        unit = outward / np.linalg.norm(outward, axis=1, keepdims=True)
        for layer, radius in zip(skin.margins[name][1:], (EYE_RADIUS + 0.05, EYE_RADIUS - 0.1), strict=True):
            move[layer] = centre + unit * radius - skin.vertices[layer]
    chart.points[:] = before
    return move
