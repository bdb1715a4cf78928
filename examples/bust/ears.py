# SPDX-License-Identifier: GPL-3.0-or-later
"""An ear: rings from the root over the rolled rim (helix) and the inner ridge (antihelix) into the hollow (concha)."""

from __future__ import annotations

import numpy as np

from .chart import chart_of
from .distance import Array
from .parts import Part, mirrored, sheet_faces, smooth_through
from .person import Person
from .skin import Skin, on_surface

# Size of each ring against the outline, and its height over the ear's plane (cm) where the rim is fully rolled.
RINGS = np.array(
    [
        (0.72, -1.6), (0.90, -0.35), (0.99, 0.15), (1.00, 0.45), (0.95, 0.60), (0.88, 0.52), (0.83, 0.22),
        (0.76, 0.20), (0.66, 0.42), (0.57, 0.40), (0.48, 0.0), (0.36, -0.38), (0.18, -0.5), (0.0, -0.5),
    ]
)  # fmt: skip
AROUND = 64
FLARE = np.radians(27.0)


def build_ears(person: Person, skin: Skin) -> list[Part]:
    """The left and the right ear, set on the head where the surface is in front of the ear."""
    root = on_surface(person, chart_of(np.array([(8.0, 1.0, -1.4)])))[0]
    size = 1.0 + 0.12 * person.ear_size + 0.08 * person.age + 0.04 * (person.masculinity - 0.5)
    shape = _ear_shape() * size
    back = np.array((np.sin(FLARE), np.cos(FLARE), -0.08))
    up = np.array((0.10, 0.16, 0.98))
    out = np.array((np.cos(FLARE), -np.sin(FLARE), 0.0))
    places = root + (0.0, 0.55, 0.0) + shape[..., 0:1] * back + shape[..., 1:2] * up + shape[..., 2:3] * out
    base = np.array(person.skin_colour)
    colours = np.broadcast_to(base * (1.04, 0.88, 0.84), places.shape)
    down, around = places.shape[:2]
    left = Part(places.reshape(-1, 3), sheet_faces(down, around, wrap=True), colours.reshape(-1, 3))
    return [left, mirrored(left)]


def _ear_shape() -> Array:
    """(down, AROUND, 3) places in the ear's own frame: backwards, upwards, outwards."""
    angle = np.linspace(0.0, 2.0 * np.pi, AROUND, endpoint=False)
    back = np.cos(angle) * (1.62 + 0.42 * np.sin(angle)) + 0.1
    rise = 3.05 * np.sin(angle) - 0.25 * np.cos(angle)
    from_front = np.abs((angle - np.pi + np.pi) % (2.0 * np.pi) - np.pi)
    front = np.exp(-(((np.pi - from_front) / 0.75) ** 2))
    lobe = np.exp(-(((((angle - 1.5 * np.pi) + np.pi) % (2 * np.pi) - np.pi) / 0.62) ** 2))
    tragus = np.exp(-(((((angle - 1.06 * np.pi) + np.pi) % (2 * np.pi) - np.pi) / 0.28) ** 2))
    stations = []
    for index, (scale, height) in enumerate(RINGS):
        level = np.full(AROUND, height)
        if 2 <= index <= 9:
            flat = 0.30 if index < 9 else 0.2
            level = level + (flat - level) * lobe * 0.8
            level = level + (-0.25 - level) * front * 0.85
        if 7 <= index <= 9:
            level = level + 0.75 * tragus
        shift = 1.0 - scale
        stations.append(np.stack((back * scale - 0.42 * shift, rise * scale - 0.25 * shift, level), axis=1))
    return smooth_through(np.array(stations), 44)
