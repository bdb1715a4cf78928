# SPDX-License-Identifier: GPL-3.0-or-later
"""From chart and forms to the skin: vertices on the surface, eyelid margins, lips and the inside of the mouth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anatomy import EYE_RADIUS, Features, features, head_distance
from .chart import LIP_STEPS, Chart, build_chart, chart_of, lay_rings, ray, ring_faces, unused
from .distance import Array
from .person import Person

# Rows (negated, rising) and how far out (cm) the search along their rays starts: on the head from outside, below the
# jaw from inside, where a ray from outside would meet the shoulders first.
START_REACH = ((-90.0, 50.0, 54.0, 100.0), (17.0, 17.0, 2.0, 2.0))


@dataclass
class Skin:
    """The skin's vertices (N, 3) in centimetres, its faces, its chart and the rings around its openings.

    `rings[name][i]` counts outwards from the opening's edge; `margins` holds the rings that turn inwards from it.
    """

    vertices: Array
    faces: list[tuple[int, ...]]
    chart: Chart
    rings: dict[str, Array]
    margins: dict[str, Array]
    place: Features


def on_surface(person: Person, chart_points: Array, offset: float = 0.0) -> Array:
    """Where the rays of chart points (N, 2) leave the body grown by `offset` (cm): (N, 3)."""
    origin, direction = ray(chart_points)
    return cast(person, origin, direction, np.interp(-chart_points[:, 1], *START_REACH), offset)


def cast(person: Person, origin: Array, direction: Array, start: Array, offset: float = 0.0) -> Array:
    """Points (N, 3) where rays cross the body grown by `offset`, searched inwards or outwards from `start` (N,) cm."""
    origin, direction = origin.astype(np.float32), direction.astype(np.float32)
    reach = start.astype(np.float32)
    active = np.arange(len(reach))
    for _ in range(40):
        distance = head_distance(person, origin[active] + direction[active] * reach[active, None]) - offset
        reach[active] = np.maximum(reach[active] - distance * np.where(distance > 0.0, 0.85, 0.7), 0.1)
        active = active[np.abs(distance) > 0.004]
        if not len(active):
            break
    return (origin + direction * reach[:, None]).astype(np.float64)


def loop_parameters(count: int) -> Array:
    """(count,) positions round a lidded opening: 0…1 along the upper edge, 1…2 back along the lower."""
    return np.arange(count) * 2.0 / count


def lid_edge(place: Features, count: int, side: float, closed: float = 0.0) -> Array:
    """Eyelid margin points (count, 3) on the lids' sphere; `side` +1 for the subject's left eye.

    `closed` lowers the upper lid onto the lower one (1: shut).
    """
    round_trip = loop_parameters(count)
    upper = round_trip < 1.0
    along = np.where(upper, round_trip, 2.0 - round_trip) * 2.0 - 1.0
    outward = along * side
    eased = np.sin(along * np.pi / 2.0) * 0.35 + along * 0.65
    x = eased * place.fissure
    # The upper lid peaks a little towards the nose, the lower lid sags a little outwards.
    high = np.clip(1.0 - np.abs(along) ** 2.0, 0.0, None) ** 0.8 * (1.0 - 0.2 * outward) * place.opening * 0.98
    low = -(np.clip(1.0 - np.abs(along) ** 2.2, 0.0, None) ** 0.85) * (1.0 + 0.25 * outward) * place.opening * 0.84
    z = np.where(upper, high + (low * 0.92 - high) * closed, low) + place.tilt * outward
    plane = np.stack((x, z), axis=1)
    depth = np.sqrt(np.clip(place.lid**2 - (plane**2).sum(axis=1), 0.12, None))
    return np.stack((place.eye[0] * side + x, place.eye[1] - depth, place.eye[2] + z), axis=1)


def lip_curves(place: Features, count: int) -> tuple[Array, Array]:
    """The lips' meeting line and their outer border, each (count, 3), upper then lower as in `loop_parameters`."""
    round_trip = loop_parameters(count)
    upper = round_trip < 1.0
    along = np.where(upper, round_trip, 2.0 - round_trip) * 2.0 - 1.0
    x = (np.sin(along * np.pi / 2.0) * 0.5 + along * 0.5) * place.mouth_half
    across = np.abs(x) / place.mouth_half
    meeting = 0.07 * np.exp(-((across / 0.28) ** 2)) * -1.0 + 0.06 * np.cos(across * np.pi) - 0.02
    bow = 1.0 - 0.2 * np.exp(-((across / 0.1) ** 2)) + 0.12 * np.exp(-(((across - 0.19) / 0.13) ** 2))
    high = place.upper_lip * bow * np.clip(1.0 - across**1.7, 0.0, None) ** 0.85
    low = -place.lower_lip * np.clip(1.0 - across**2.4, 0.0, None) ** 0.8
    y = place.lips_y + 3.6 * (1.0 - np.sqrt(np.clip(1.0 - (x / 4.6) ** 2, 0.05, None)))
    z = place.mouth_z + meeting
    edge = np.stack((x, y, z), axis=1)
    contour = np.stack((x * 1.035, y, z + np.where(upper, high, low)), axis=1)
    return edge, contour


def build_skin(person: Person, chart: Chart | None = None) -> Skin:
    """The skin of a person. Every person's skin has the same faces and the same vertex order."""
    chart = chart or build_chart()
    place = features(person)
    for name, side in (("eye_left", 1.0), ("eye_right", -1.0)):
        lay_rings(chart, name, chart_of(lid_edge(place, chart.rings[name].shape[1], side)))
    edge, contour = lip_curves(place, chart.rings["mouth"].shape[1])
    lay_rings(chart, "mouth", chart_of(edge), chart_of(contour))
    points = on_surface(person, chart.points)
    points[unused(chart)] = points[0]
    _shape_lips(points, chart.rings["mouth"], place)
    faces = list(chart.faces)
    margins: dict[str, Array] = {}
    for name in ("eye_left", "eye_right"):
        points, margins[name] = _lid_margin(points, chart.rings[name][0], place, 1.0 if name == "eye_left" else -1.0)
        faces += ring_faces(margins[name][::-1])
    points, margins["mouth"] = _mouth_inside(points, chart.rings["mouth"][0], place)
    faces += ring_faces(margins["mouth"][::-1])
    crown = len(points)
    points = np.vstack((points, points[chart.grid[0]].mean(axis=0)))
    top = chart.grid[0]
    faces += [(crown, int(a), int(b)) for a, b in zip(top, np.roll(top, -1), strict=True)]
    return Skin(points, faces, chart, dict(chart.rings), margins, place)


def _shape_lips(points: Array, rings: Array, place: Features) -> None:
    """Swell the red of the lips between meeting line (ring 0) and border (ring LIP_STEPS), in place."""
    upper = loop_parameters(rings.shape[1]) < 1.0
    for step in range(LIP_STEPS + 6):
        share = step / LIP_STEPS
        ring = rings[step]
        across = np.clip(np.abs(points[ring, 0]) / place.mouth_half, 0.0, 1.0)
        room = np.clip(1.0 - across**2, 0.0, None) ** 0.7
        body = np.where(upper, 0.46 * place.upper_lip / 0.62, 0.50 * place.lower_lip / 0.86)
        if share <= 1.0:
            swell = np.where(
                upper, np.sin(np.pi * (0.12 + 0.80 * share**0.8)), np.sin(np.pi * (0.12 + 0.84 * share**0.75))
            )
            forward = body * swell - 0.30 * (1.0 - share) ** 3
        else:
            forward = body * 0.20 * np.clip(1.0 - (share - 1.0) * 1.6, 0.0, None) ** 1.5
        points[ring, 1] -= forward * room - 0.12 * (1.0 - room) * max(0.0, 1.0 - share)
        lean = np.where(upper, -0.10, 0.06) * np.sin(np.pi * min(share, 1.0)) * room
        points[ring, 2] += lean


def _lid_margin(points: Array, edge: Array, place: Features, side: float) -> tuple[Array, Array]:
    """Add rings that turn the lid's edge in towards the eyeball; returns all points and the rings (edge first)."""
    centre = np.array((place.eye[0] * side, place.eye[1], place.eye[2]))
    outward = points[edge] - centre
    length = np.linalg.norm(outward, axis=1, keepdims=True)
    unit = outward / length
    rings, start = [edge], len(points)
    layers = [centre + unit * (EYE_RADIUS + 0.03)]
    tucked = unit * (EYE_RADIUS - 0.12) + 0.0
    tucked[:, [0, 2]] *= 1.18
    layers.append(centre + tucked)
    for _layer in layers:
        rings.append(start + np.arange(len(edge)))
        start += len(edge)
    return np.vstack((points, *layers)), np.array(rings)


def _mouth_inside(points: Array, edge: Array, place: Features) -> tuple[Array, Array]:
    """Add the lips' inner faces and a dark pocket behind them; returns all points and the rings (edge first)."""
    upper = loop_parameters(len(edge)) < 1.0
    lip = points[edge]
    middle = np.array((0.0, place.lips_y + 2.6, place.mouth_z))
    sign = np.where(upper, 1.0, -1.0)
    room = np.sqrt(np.clip(1.0 - (lip[:, 0] / place.mouth_half) ** 2, 0.0, 1.0))
    layers = []
    for back, spread, pinch in ((0.35, 0.10, 1.0), (0.8, 0.75, 0.97), (2.2, 1.5, 0.85), (3.2, 0.9, 0.4)):
        layer = lip.copy()
        layer[:, 0] *= pinch
        layer[:, 1] += back
        layer[:, 2] += sign * spread * room
        layers.append(layer)
    layers.append(np.repeat(middle[None] + (0, 0.9, 0), len(edge), axis=0))
    start, rings = len(points), [edge]
    for _ in layers:
        rings.append(start + np.arange(len(edge)))
        start += len(edge)
    return np.vstack((points, *layers)), np.array(rings)
