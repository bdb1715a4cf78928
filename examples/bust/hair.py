# SPDX-License-Identifier: GPL-3.0-or-later
"""Hair as a shell over the head: a thickness in every direction, grooved along the strands, sunk at the hairline."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .distance import Array, smoothstep
from .parts import Part, sheet_faces
from .person import Person
from .skin import cast

ACROSS = 600
CAST_EVERY = 4
# How low (cm) hair hangs, and in how many rows.
HANGING = {"bob": (-11.5, 56), "long": (-16.5, 56)}
SINK = -0.35

# Azimuth from the front, row of the hairline there (see the chart): front, temple, sideburn, over the ear, nape.
HAIRLINE = np.array(
    (
        ((0, 42), (22, 42.5), (38, 40), (50, 31), (58, 22), (66, 8), (74, -9)),
        ((82, -8), (88, 10), (104, 12), (116, -12), (135, -30), (158, -34), (180, -38)),
    )
).reshape(-1, 2)


@dataclass(frozen=True)
class Scalp:
    """Rays from the head's axis through the scalp, (rows, ACROSS) each but `origin`, `direction` and `place` (…, 3).

    Above the middle of the head the rays fan out upwards, below it they are level, so that hair can hang.
    """

    azimuth: Array
    row: Array
    height: Array
    origin: Array
    direction: Array
    radius: Array

    @property
    def place(self) -> Array:
        return self.origin + self.direction * self.radius[..., None]


def hairline(person: Person, azimuth: Array) -> Array:
    """Row (degrees) where hair begins at an azimuth; recedes at the temples with age on men."""
    away = np.abs(np.asarray(azimuth, float))
    line = np.interp(away, HAIRLINE[:, 0], HAIRLINE[:, 1])
    receding = person.masculinity * max(0.0, person.age - 0.2)
    line = line + receding * (5.0 + 13.0 * np.exp(-(((away - 32.0) / 14.0) ** 2))) * (away < 62.0)
    line = line + 2.5 * person.forehead * (away < 50.0)
    if person.masculinity < 0.5:
        line = line + np.where((away > 62.0) & (away < 86.0), 9.0, 0.0)
    return np.asarray(line)


def build_hair(person: Person) -> list[Part]:
    """The hair's parts (none for a bald head)."""
    style = person.hair_style
    if style == "bald":
        return []
    scalp = _scalp(person)
    groove, strand = _strands(style, scalp)
    line = hairline(person, scalp.azimuth)
    if style in HANGING:
        line = np.where(np.abs(scalp.azimuth) > 66.0, -80.0, line)
    inside = scalp.row - line + 1.4 * groove + 0.8 * strand
    shape = _curtain if style in HANGING else _cap
    reach = shape(style, scalp, inside)
    cover = np.clip((reach - scalp.radius) / 0.6, 0.0, 1.0)
    depth = {"buzz": 0.0, "short": 0.10, "curly": 0.0}.get(style, 0.11)
    reach = reach + cover * (_curls(scalp.place) if style == "curly" else depth * groove)
    vertices = scalp.origin + scalp.direction * reach[..., None]
    vertices[0] = vertices[0].mean(axis=0)
    hollow = 0.72 + 0.28 * np.clip(groove, -1.0, 1.0) if depth else np.full_like(groove, 0.72)
    tone = np.clip(1.0 + 0.35 * strand, 0.5, 1.6) * hollow
    colours = np.array(person.hair_colour) * tone.reshape(-1, 1)
    # What lies under the skin is left out: an opening mouth would bring it to light.
    buried = ((reach < scalp.radius - 0.2) & (inside < -2.0)).reshape(-1)
    faces = [face for face in sheet_faces(*reach.shape, wrap=True) if not buried[list(face)].all()]
    parts = [Part(vertices.reshape(-1, 3), faces, colours)]
    return [*parts, _bun(person)] if style == "bun" else parts


def _scalp(person: Person) -> Scalp:
    """The head without hair, as far down as the style hangs."""
    low, count = HANGING.get(person.hair_style, (-9.5, 30))
    azimuth = np.linspace(-180.0, 180.0, ACROSS, endpoint=False)
    rises = np.concatenate((np.linspace(89.5, 1.0, 76), np.zeros(count)))
    heights = np.concatenate((np.zeros(76), np.linspace(0.0, low, count)))
    a, rise = np.meshgrid(azimuth, rises)
    height = np.repeat(heights[:, None], ACROSS, axis=1)
    origin = np.stack((np.zeros_like(a), np.full_like(a, 0.5), height), axis=-1)
    turn, tilt = np.radians(a), np.radians(rise)
    direction = np.stack((np.sin(turn) * np.cos(tilt), -np.cos(turn) * np.cos(tilt), np.sin(tilt)), axis=-1)
    # The scalp is smooth: cast it on every fourth column and fill in the rest; only the strands need them all.
    some = origin[:, ::CAST_EVERY].reshape(-1, 3)
    found = cast(person, some, direction[:, ::CAST_EVERY].reshape(-1, 3), np.full(len(some), 14.0))
    known = np.linalg.norm(found - some, axis=1).reshape(len(rises), -1)
    radius = np.stack([np.interp(azimuth, azimuth[::CAST_EVERY], line, period=360.0) for line in known])
    row = np.where(height < 0.0, np.degrees(np.arctan2(height, radius)), rise)
    return Scalp(a, row, height, origin, direction, radius)


def _cap(style: str, scalp: Scalp, inside: Array) -> Array:
    """Distance from the axis (cm) for the styles that follow the head."""
    azimuth, row = scalp.azimuth, scalp.row
    top = smoothstep(15.0, 60.0, row)
    back = smoothstep(70.0, 120.0, np.abs(azimuth))
    if style == "buzz":
        return np.asarray(scalp.radius + SINK + 0.42 * smoothstep(-2.0, 2.5, inside))
    if style == "short":
        body = 0.45 + 0.95 * top + 0.25 * back * top
        body = body + 0.45 * smoothstep(35.0, 0.0, np.abs(azimuth)) * smoothstep(35.0, 48.0, row) * smoothstep(
            75.0, 50.0, row
        )
        width = 7.0
    elif style == "swept":
        body = 0.5 + 1.2 * top + 0.6 * smoothstep(60.0, -40.0, azimuth) * top
        width = 7.0
    elif style == "bun":
        body = 0.45 + 0.35 * top
        width = 5.0
    else:
        body = 1.1 + 1.3 * top + 0.6 * back
        width = 12.0
    return np.asarray(scalp.radius + SINK + (body - SINK) * smoothstep(-1.5, width, inside) ** 0.8)


def _curtain(style: str, scalp: Scalp, inside: Array) -> Array:
    """Distance from the axis for hair that falls beside the face and over the neck."""
    row, height, radius = scalp.row, scalp.height, scalp.radius
    away = np.abs(scalp.azimuth)
    top = smoothstep(20.0, 65.0, row)
    cap = radius + SINK + (0.75 + 0.55 * top - SINK) * smoothstep(-1.5, 6.0, inside)
    widest = 9.1 + 0.35 * smoothstep(60.0, 180.0, away) * 1.0
    if style == "bob":
        fall = (
            widest
            + 0.9 * np.sin(np.clip(-height / 11.5, 0.0, 1.0) * np.pi * 0.75)
            - 0.9 * smoothstep(-8.0, -11.5, height)
        )
        front = 58.0 - 8.0 * smoothstep(0.0, -10.0, height)
    else:
        fall = widest + 1.0 * smoothstep(-2.0, -20.0, height) + 0.15 * np.sin(height * 0.7)
        fall = np.maximum(fall, np.minimum(radius + 0.9, fall + 5.0))
        front = 62.0 - 14.0 * smoothstep(-2.0, -16.0, height)
    open_face = smoothstep(front - 3.0, front + 9.0, away)
    hanging = radius - 0.6 + (fall - radius + 0.6) * open_face**0.7
    side = smoothstep(32.0, -5.0, row)
    return np.asarray(np.where(row > 32.0, cap, np.maximum(cap, cap + (hanging - cap) * side)))


def _strands(style: str, scalp: Scalp) -> tuple[Array, Array]:
    """Groove profile (-1…1) and colour variation (-1…1) across the direction the strands run."""
    azimuth, row = scalp.azimuth, scalp.row
    x, y, z = np.moveaxis(scalp.place, -1, 0)
    if style in ("swept", "bun"):
        across = np.degrees(np.arctan2(x, z + 4.0)) * 1.5
    elif style == "short":
        across = np.degrees(np.arctan2(x, z + 4.0)) * 1.6 + 2.5 * np.sin(y * 0.35) + azimuth * 0.15
    else:
        across = azimuth + 4.0 * np.sin(row * 0.05)
    coarse = np.sin(across * 0.42 + 1.1 * np.sin(across * 0.13)) * 0.45
    fine = np.sin(across * 1.6 + 0.7 * np.sin(across * 0.31) + row * 0.02) * 0.4
    fine += np.sin(across * 3.3 + 1.9 * np.sin(across * 0.47) - row * 0.03) * 0.35
    fade = smoothstep(86.0, 72.0, row)
    strand = 0.4 * np.sin(across * 1.9 + 0.4 * np.sin(row * 0.09)) + 0.3 * np.sin(across * 0.77 + 2.0)
    strand += 0.4 * np.sin(across * 4.3 + 2.0 * np.sin(across * 0.6))
    return (coarse + fine) * fade, strand * (0.4 + 0.6 * fade)


def _curls(place: Array) -> Array:
    """Bumps of curly hair (cm)."""
    x, y, z = np.moveaxis(place, -1, 0)
    wave = np.sin(2.3 * x + 1.3 * np.sin(1.9 * z)) * np.sin(2.5 * y + 1.1 * np.sin(2.2 * x)) + np.sin(
        2.7 * z + 1.7 * np.sin(1.6 * y)
    )
    small = np.sin(5.1 * x + 2.0 * np.sin(3.0 * y)) * np.sin(5.6 * z + 1.2 * np.sin(4.1 * x)) * np.sin(4.7 * y)
    return np.asarray(0.22 * wave + 0.3 * small)


def _bun(person: Person) -> Part:
    """A knot at the back of the head."""
    down, around = 30, 90
    rise = np.linspace(-np.pi / 2, np.pi / 2, down)[:, None]
    turn = np.linspace(0.0, 2.0 * np.pi, around, endpoint=False)[None]
    twist = np.sin(turn * 9.0 + rise * 5.0)
    radius = 2.9 + 0.10 * twist
    x = radius * np.cos(rise) * np.cos(turn)
    z = radius * np.cos(rise) * np.sin(turn)
    y = radius * 0.85 * np.sin(rise) * np.ones_like(turn)
    vertices = np.stack((x, y + 7.2, z + 11.6), axis=-1).reshape(-1, 3)
    colours = np.array(person.hair_colour) * (1.0 + 0.25 * twist.reshape(-1, 1))
    return Part(vertices, sheet_faces(down, around, wrap=True), colours)
