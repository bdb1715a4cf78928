# SPDX-License-Identifier: GPL-3.0-or-later
"""Eyeballs: a white with a sunken coloured iris and a pupil, and the clear cornea bulging over it."""

from __future__ import annotations

import numpy as np

from .anatomy import EYE_RADIUS
from .distance import Array, smoothstep
from .parts import Part, sheet_faces
from .person import Person

IRIS = 0.60
PUPIL = 0.22
AROUND = 72


def _lathe(profile: Array) -> Array:
    """Vertices of a profile (M, 2: distance from the axis, forward) turned about the forward axis (-Y)."""
    angle = np.linspace(0.0, 2.0 * np.pi, AROUND, endpoint=False)
    radius, forward = profile[:, 0:1], profile[:, 1:2]
    x, z = radius * np.cos(angle), radius * np.sin(angle)
    return np.stack((x, np.broadcast_to(-forward, x.shape), z), axis=-1).reshape(-1, 3)


def build_eyeball(person: Person) -> Part:
    """One eyeball around the origin, looking forward."""
    limbus = np.sqrt(EYE_RADIUS**2 - IRIS**2)
    disc = np.array(
        [(r, limbus - 0.16 + 0.12 * (r / IRIS) ** 2) for r in (0.0, 0.1, 0.2, 0.23, 0.3, 0.38, 0.46, 0.53, 0.585)]
    )
    turn = np.linspace(np.arcsin(IRIS / EYE_RADIUS), np.pi, 34)
    profile = np.vstack((disc, np.stack((np.sin(turn), np.cos(turn)), axis=1) * EYE_RADIUS))
    vertices = _lathe(profile)
    radius = np.hypot(vertices[:, 0], vertices[:, 2])
    angle = np.arctan2(vertices[:, 2], vertices[:, 0])
    front = vertices[:, 1] < 0.0
    fibres = 1.0 + 0.16 * np.sin(angle * 23.0) * np.sin(angle * 11.0 + 1.3) + 0.12 * np.sin(angle * 36.0 + 0.5)
    iris = np.array(person.eye_colour) * fibres[:, None]
    iris = iris * (1.0 + 0.55 * smoothstep(0.50, PUPIL, radius))[:, None]
    iris = iris * (0.22 + 0.78 * smoothstep(IRIS, 0.49, radius))[:, None]
    white = np.array((0.72, 0.69, 0.66)) * (1.0, 0.97, 0.95)
    white = white * (1.0 - 0.12 * smoothstep(0.75, 1.15, radius)[:, None] * (0.2, 1.0, 1.0))
    colours = np.where(((radius < IRIS - 0.005) & front)[:, None], iris, white)
    colours[(radius < PUPIL) & front] = 0.004
    return Part(vertices, sheet_faces(len(profile), AROUND, wrap=True), colours)


def build_cornea() -> Part:
    """The clear cap in front of the iris, around the same origin."""
    radius = np.linspace(0.0, 0.70, 14)
    ball = np.sqrt((EYE_RADIUS + 0.004) ** 2 - radius**2)
    bulge = 0.13 * np.clip(1.0 - (radius / 0.66) ** 2, 0.0, None) ** 1.3
    profile = np.stack((radius, ball + bulge), axis=1)
    return Part(_lathe(profile), sheet_faces(len(profile), AROUND, wrap=True), np.ones(3))
