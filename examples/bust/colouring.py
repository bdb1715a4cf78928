# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin's colours: lips, blush, lids, stubble and the shadow of hair, one linear colour for every vertex."""

from __future__ import annotations

import numpy as np

from .chart import LIP_STEPS
from .distance import Array, smoothstep
from .hair import hairline
from .landmarks import brow_curve
from .person import Person
from .skin import Skin


def skin_colours(person: Person, skin: Skin) -> Array:
    """(N, 3) linear colours of the skin's vertices."""
    p, place = skin.vertices, skin.place
    base = np.array(person.skin_colour)
    light = float(np.clip(base[0] / 0.5, 0.0, 1.2))
    tint = np.ones_like(p)

    def shade(amount: Array, factor: tuple[float, float, float]) -> None:
        nonlocal tint
        tint = tint * (1.0 + amount[:, None] * (np.array(factor) - 1.0))

    def spot(centre: tuple[float, float, float], size: float) -> Array:
        folded = np.abs(p[:, 0:1]), p[:, 1:3]
        offset = np.concatenate(folded, axis=1) - np.array(centre)
        return np.asarray(np.exp(-(offset**2).sum(axis=1) / size**2))

    shade(spot((4.0, -7.2, -3.6), 2.1) * 0.55, (1.06, 0.80, 0.78))
    shade(spot((0.0, -10.8, place.nose_base_z + 0.9), 1.3) * 0.55, (1.05, 0.80, 0.78))
    shade(spot((place.eye[0], -7.7, -0.9), 1.2) * (0.25 + 0.4 * person.age), (0.86, 0.76, 0.76))
    shade(spot((place.eye[0], -7.7, 0.75), 1.0) * 0.3, (0.90, 0.78, 0.76))
    shade(spot((place.nose_half * 0.46, -9.6, place.nose_base_z + 0.42), 0.3), (0.28, 0.14, 0.12))
    shade(_beard(skin) * person.stubble * 0.75, (0.50, 0.56, 0.62))
    cover = np.exp(-(((p[:, 2] - np.interp(np.abs(p[:, 0]), *_brow_line(skin))) / 0.32) ** 2))
    cover *= smoothstep(0.9, 1.6, np.abs(p[:, 0])) * smoothstep(4.9, 4.2, np.abs(p[:, 0])) * (p[:, 1] < -3.0)
    shade(cover * 0.25, (0.5, 0.45, 0.42))
    colours = base * tint
    _colour_lips(colours, person, skin, light)
    for name in ("eye_left", "eye_right"):
        edge = skin.rings[name]
        half = edge.shape[1] // 2
        colours[edge[0]] *= 0.4
        colours[edge[0, 2 : half - 1]] *= 0.3
        colours[edge[1, :half]] *= 0.55
        colours[skin.margins[name][1]] = base * (0.75, 0.45, 0.42)
    if person.hair_style != "bald":
        _colour_scalp(colours, person, skin)
    return np.asarray(colours)


def _brow_line(skin: Skin) -> tuple[Array, Array]:
    curve = brow_curve(skin, np.linspace(0.0, 1.0, 20))
    return curve[:, 0], curve[:, 1]


def _beard(skin: Skin) -> Array:
    """Where a beard grows, 0…1."""
    p, place = skin.vertices, skin.place
    side = np.abs(p[:, 0])
    low = smoothstep(place.nose_base_z - 0.2, place.nose_base_z - 1.2, p[:, 2] + np.clip(side - 2.0, 0.0, 1.2) * 0.9)
    low = np.maximum(low, smoothstep(4.8, 5.8, side) * smoothstep(0.0, -3.0, p[:, 2]) * smoothstep(1.5, 0.0, p[:, 1]))
    return np.asarray(low * smoothstep(-14.5, -12.0, p[:, 2]) * smoothstep(2.0, -0.5, p[:, 1]))


def _colour_lips(colours: Array, person: Person, skin: Skin, light: float) -> None:
    base = np.array(person.skin_colour)
    woman = 1.0 - person.masculinity
    red = base * (0.94, 0.60 + 0.15 * (1 - light), 0.68) + np.array((0.03, 0.0, 0.008)) * woman * light
    red = base + (red - base) * (0.72 + 0.28 * woman)
    ring = skin.rings["mouth"]
    for step in range(LIP_STEPS + 1):
        strength = 1.0 if step < LIP_STEPS else 0.45
        colours[ring[step]] = colours[ring[step]] * (1.0 - strength) + red * strength * (0.8 if step == 0 else 1.0)
    inside = skin.margins["mouth"][1:]
    for depth, layer in enumerate(inside):
        colours[layer] = np.array((0.20, 0.05, 0.045)) * (1.0, 0.6, 0.3, 0.12, 0.05)[depth]


def _colour_scalp(colours: Array, person: Person, skin: Skin) -> None:
    """Darken the skin under the hairline so that no pale scalp shows through."""
    count = len(skin.chart.points)
    azimuth, row = skin.chart.points[:, 0], skin.chart.points[:, 1]
    above = smoothstep(-1.0, 3.0, row - hairline(person, azimuth)) * (row > -46.0)
    scalp = np.array(person.hair_colour) * 0.8 + np.array(person.skin_colour) * 0.06
    share = above[:, None] * (0.9 if person.hair_style != "buzz" else 0.8)
    colours[:count] = colours[:count] * (1.0 - share) + scalp * share
    if skin.vertices[-1, 2] > 5.0:
        colours[-1] = scalp
