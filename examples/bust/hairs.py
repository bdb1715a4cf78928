# SPDX-License-Identifier: GPL-3.0-or-later
"""Single hairs as tapered ribbons: brows and lashes. Each hair is anchored to the skin vertex it grows from."""

from __future__ import annotations

import numpy as np

from .distance import Array
from .landmarks import brow_curve
from .parts import Part, mirrored
from .person import Person
from .skin import Skin

SEGMENTS = 4


def ribbons(
    roots: Array, directions: Array, bends: Array, lengths: Array, width: float, colour: Array, anchors: Array
) -> Part:
    """Hairs (N) growing from `roots` along unit `directions`, curving towards `bends` (N, 3), tapering to a point."""
    count = len(roots)
    along = np.linspace(0.0, 1.0, SEGMENTS + 1)[None, :, None]
    reach = lengths[:, None, None]
    spine = roots[:, None] + reach * (directions[:, None] * along + bends[:, None] * along**2)
    sideways = np.cross(directions, (0.0, -1.0, 0.12))
    sideways /= np.linalg.norm(sideways, axis=1, keepdims=True) + 1e-9
    half = 0.5 * width * (1.0 - 0.9 * along**1.5) * sideways[:, None]
    vertices = np.stack((spine - half, spine + half), axis=2).reshape(-1, 3)
    faces = []
    for hair in range(count):
        for segment in range(SEGMENTS):
            first = (hair * (SEGMENTS + 1) + segment) * 2
            faces.append((first, first + 1, first + 3, first + 2))
    return Part(vertices, faces, colour, np.repeat(anchors, (SEGMENTS + 1) * 2))


def build_brows(person: Person, skin: Skin, dice: np.random.Generator) -> list[Part]:
    """Left and right brow, denser and upright near the nose, thin and swept outwards at the temple."""
    man = person.masculinity
    count = int(520 + 120 * person.brow_thickness + 130 * man)
    along = dice.beta(1.15, 1.35, count)
    thickness = (
        (0.30 + 0.12 * person.brow_thickness + 0.16 * (man - 0.4))
        * (1.0 - 0.72 * along**2)
        * (0.55 + 0.45 * np.minimum(along * 6, 1))
    )
    across = np.clip(dice.normal(0.0, 0.42, count), -1.0, 1.0)
    curve = brow_curve(skin, along)
    target = np.stack((curve[:, 0], curve[:, 1] + across * thickness), axis=1)
    front = np.flatnonzero(
        (skin.vertices[:, 1] < -3.0) & (skin.vertices[:, 0] > 0.3) & (np.abs(skin.vertices[:, 2] - 2.0) < 2.2)
    )
    plane = skin.vertices[front][:, [0, 2]]
    anchors = np.array([front[((plane - place) ** 2).sum(axis=1).argmin()] for place in target])
    roots = skin.vertices[anchors].copy()
    roots[:, [0, 2]] = target
    roots[:, 1] += 0.02
    swing = np.radians(72.0 - 78.0 * along**0.55 - across * 28.0) + dice.normal(0.0, 0.12, count)
    directions = np.stack((np.cos(swing), -0.10 + 0.42 * along, np.sin(swing)), axis=1)
    bends = np.stack((0.15 + 0 * along, 0.25 * along + 0.08, -0.25 - 0.2 * along), axis=1)
    lengths = dice.uniform(0.42, 0.75, count) * (0.85 + 0.25 * man)
    colour = np.array(person.hair_colour) * (0.45 if max(person.hair_colour) > 0.2 else 0.8)
    # A ribbon lies in the skin; lift each root so that curved skin does not swallow its hair.
    roots[:, 1] -= 0.07
    left = ribbons(roots, directions, bends, lengths, 0.038, colour, anchors)
    right = mirrored(left)
    right.anchors = _other_side(skin, left.anchors)
    return [left, right]


def build_lashes(person: Person, skin: Skin, dice: np.random.Generator) -> list[Part]:
    """Upper and lower lashes of both eyes."""
    parts = []
    colour = np.array((0.012, 0.009, 0.008)) + np.array(person.hair_colour) * 0.05
    fuller = 1.0 - 0.35 * person.masculinity
    for name, side in (("eye_left", 1.0), ("eye_right", -1.0)):
        edge = skin.rings[name][0]
        half = len(edge) // 2
        for upper, density in ((True, 2), (False, 1)):
            columns = np.arange(3, half - 2) if upper else np.arange(half + 3, len(edge) - 3)
            columns = np.repeat(columns, density)
            roots = skin.vertices[edge[columns]]
            centre = np.array((skin.place.eye[0] * side, skin.place.eye[1], 0.0))
            fan = (roots[:, 0] - centre[0]) * 0.42
            rise = 0.35 if upper else -0.55
            directions = np.stack((fan, np.full(len(fan), -0.85), np.full(len(fan), rise)), axis=1)
            directions += dice.normal(0.0, 0.07, directions.shape)
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            bends = np.stack((fan * 0.5, np.zeros(len(fan)), np.full(len(fan), 0.75 if upper else -0.3)), axis=1)
            lengths = dice.uniform(0.75, 1.0, len(fan)) * (0.55 if upper else 0.2) * fuller
            parts.append(ribbons(roots, directions, bends, lengths, 0.026, colour, edge[columns]))
    return parts


def _other_side(skin: Skin, anchors: Array) -> Array:
    """For each anchor the skin vertex nearest to its mirror image."""
    unique, places = np.unique(anchors, return_inverse=True)
    flipped = skin.vertices[unique] * (-1.0, 1.0, 1.0)
    return np.array([((skin.vertices - place) ** 2).sum(axis=1).argmin() for place in flipped])[places]
