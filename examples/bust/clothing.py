# SPDX-License-Identifier: GPL-3.0-or-later
"""A plain shirt: the bust's own surface, grown a little, from a round or pointed neckline down."""

from __future__ import annotations

import numpy as np

from .parts import Part, sheet_faces
from .person import Person
from .skin import on_surface

ACROSS = 150


def build_shirt(person: Person) -> Part:
    """The shirt; women's necklines are cut deeper."""
    azimuth = np.linspace(-180.0, 180.0, ACROSS, endpoint=False)
    deep = 2.6 if person.masculinity < 0.5 else 1.4
    collar = -77.3 - (0.5 + deep) * np.exp(-((azimuth / 45.0) ** 2))
    share = np.linspace(0.0, 1.0, 44)[:, None] ** 1.3
    rows = collar + (-100.0 - collar) * share
    rows = np.vstack((collar[None] + 0.05, collar[None], rows))
    chart = np.stack((np.broadcast_to(azimuth, rows.shape), rows), axis=-1).reshape(-1, 2)
    layers = np.array([-0.3, 0.35, 0.72, 0.74, 0.66] + [0.55] * 41)[:, None]
    offset = np.broadcast_to(layers, rows.shape).reshape(-1)
    vertices = np.zeros((len(chart), 3))
    for value in np.unique(offset):
        chosen = offset == value
        vertices[chosen] = on_surface(person, chart[chosen], float(value))
    return Part(vertices, sheet_faces(len(rows), ACROSS, wrap=True), np.array(person.shirt_colour))
