# SPDX-License-Identifier: GPL-3.0-or-later
"""A piece of mesh in plain arrays, before Blender sees it, and how pieces are put together."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from .distance import Array


@dataclass
class Part:
    """Vertices (N, 3) in centimetres, faces, linear colours (N, 3), and each vertex's anchor.

    An anchor is the index of the skin vertex this vertex moves with (-1: none, the part is moved on its own).
    """

    vertices: Array
    faces: list[tuple[int, ...]]
    colours: Array
    anchors: Array = field(default_factory=lambda: np.zeros(0, int))

    def __post_init__(self) -> None:
        if not len(self.anchors):
            self.anchors = np.full(len(self.vertices), -1)
        self.colours = np.broadcast_to(np.asarray(self.colours, float), self.vertices.shape).copy()


def merged(parts: list[Part]) -> Part:
    """One part made of several, faces renumbered."""
    faces: list[tuple[int, ...]] = []
    start = 0
    for part in parts:
        faces += [tuple(index + start for index in face) for face in part.faces]
        start += len(part.vertices)
    return Part(
        np.vstack([part.vertices for part in parts]),
        faces,
        np.vstack([part.colours for part in parts]),
        np.concatenate([part.anchors for part in parts]),
    )


def mirrored(part: Part) -> Part:
    """The part on the other side of the face, faces turned so that they still look outwards."""
    return Part(part.vertices * (-1.0, 1.0, 1.0), [face[::-1] for face in part.faces], part.colours, part.anchors)


def sheet_faces(down: int, across: int, wrap: bool = False) -> list[tuple[int, ...]]:
    """Quads of a (down, across) grid of vertices; `wrap` closes it sideways."""
    grid = np.arange(down * across).reshape(down, across)
    following = np.roll(grid, -1, axis=1)
    columns = slice(None) if wrap else slice(None, -1)
    corners = (grid[:-1, columns], grid[1:, columns], following[1:, columns], following[:-1, columns])
    return [tuple(quad) for quad in np.stack([part.ravel() for part in corners], axis=1).tolist()]


def smooth_through(stations: Array, count: int) -> Array:
    """`count` places on the smooth (Catmull-Rom) path through `stations` (M, ...)."""
    place = np.linspace(0.0, len(stations) - 1.0, count)
    index = np.minimum(place.astype(int), len(stations) - 2)
    t = (place - index).reshape((-1,) + (1,) * (stations.ndim - 1))
    before, here = stations[np.maximum(index - 1, 0)], stations[index]
    there, after = stations[index + 1], stations[np.minimum(index + 2, len(stations) - 1)]
    bend = (2 * before - 5 * here + 4 * there - after) * t + (3 * here - before - 3 * there + after) * t * t
    return here + 0.5 * t * (there - before + bend)
