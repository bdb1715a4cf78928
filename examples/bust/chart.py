# SPDX-License-Identifier: GPL-3.0-or-later
"""The flat layout of the skin: a net of rays around the head, with rings of edges round the eyes and the mouth.

A chart point is (azimuth, row) in degrees. Azimuth 0 is straight ahead (-Y), positive towards the subject's left
(+X). A row of 90 is the crown, rows down to -50 are the elevation of a ray from the middle of the head; below that
the ray's origin slides down the neck into the chest (`COURSE`). The net is the same for every person, so
all of them share one topology; only the rings' curves differ.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from .distance import Array

# Row; origin's y and z; then how far from the axis and how high (cm) the ray passes in front, at the side, behind.
COURSE = np.array(
    [
        (-50.0, 0.5, 0.0, 9.5, -11.32, 6.5, -7.75, 7.3, -8.70),
        (-60.0, 0.5, -3.0, 3.9, -13.2, 6.0, -9.5, 7.2, -10.3),
        (-66.0, 1.0, -8.0, 4.4, -15.5, 6.0, -11.2, 7.0, -11.6),
        (-72.0, 1.8, -13.0, 5.0, -18.0, 6.5, -12.8, 6.6, -13.0),
        (-78.0, 2.5, -18.0, 5.5, -20.5, 8.5, -14.6, 6.6, -15.2),
        (-84.0, 2.5, -21.0, 7.5, -23.0, 13.0, -17.5, 7.5, -20.0),
        (-100.0, 2.5, -22.5, 11.5, -40.0, 18.0, -40.0, 10.5, -40.0),
    ]
)
CENTRE = np.array((0.0, 0.5, 0.0))
RING_STEPS = 12
LIP_STEPS = 7


@dataclass(frozen=True)
class Patch:
    """A rectangle of the net that is replaced by rings: azimuth and row limits in degrees."""

    left: float
    right: float
    low: float
    high: float


MOUTH_PATCH = Patch(-21.0, 21.0, -43.5, -27.5)
EYE_PATCH = Patch(8.5, 37.0, -10.0, 10.5)


@dataclass
class Chart:
    """The net: chart points (N, 2), quads and triangles as index tuples, and the rings by name.

    A ring array has shape (steps + 1, K): [0] is the opening's edge, [-1] the patch's border. Ring columns run from
    the corner on the image's left along the upper edge to the other corner and back along the lower edge.
    """

    points: Array
    faces: list[tuple[int, ...]]
    rings: dict[str, Array]
    azimuths: Array
    rows: Array
    grid: Array


def ray(points: Array) -> tuple[Array, Array]:
    """Origins and unit directions (N, 3) of the rays of chart points (N, 2)."""
    azimuth, row = np.radians(points[:, 0]), points[:, 1]
    origin_y, origin_z, *passing = (np.interp(-row, -COURSE[:, 0], column) for column in COURSE.T[1:])
    front, side, back = (
        np.where(row > -50.0, np.radians(row), np.arctan2(height - origin_z, reach))
        for reach, height in zip(passing[0::2], passing[1::2], strict=True)
    )
    forward = np.cos(azimuth)
    elevation = side + (np.where(forward > 0.0, front, back) - side) * forward**2
    origin = np.stack((np.zeros_like(row), origin_y, origin_z), axis=1)
    level = np.cos(elevation)
    direction = np.stack((np.sin(azimuth) * level, -np.cos(azimuth) * level, np.sin(elevation)), axis=1)
    return origin, direction


def chart_of(points: Array) -> Array:
    """Chart points (N, 2) of places (N, 3) on the face (rows above -50)."""
    offset = points - CENTRE
    azimuth = np.degrees(np.arctan2(offset[:, 0], -offset[:, 1]))
    row = np.degrees(np.arctan2(offset[:, 2], np.hypot(offset[:, 0], offset[:, 1])))
    return np.stack((azimuth, row), axis=1)


def _spread(stops: list[tuple[float, float]]) -> Array:
    """Values from the first stop to the last, each (value, step there), the step changing evenly between stops."""
    values = [stops[0][0]]
    places, steps = zip(*stops, strict=True)
    sign = 1.0 if places[-1] > places[0] else -1.0
    order = slice(None) if sign > 0 else slice(None, None, -1)
    while (places[-1] - values[-1]) * sign > 1e-6:
        values.append(values[-1] + sign * float(np.interp(values[-1], places[order], steps[order])))
    array = np.array(values)
    return array[0] + (array - array[0]) * (places[-1] - places[0]) / (array[-1] - array[0])


def _net() -> tuple[Array, Array]:
    """Azimuths (whole turn, from -180) and rows (downwards) of the net's lines."""
    half = _spread([(0.0, 0.75), (14.0, 0.85), (40.0, 1.2), (75.0, 2.2), (180.0, 4.5)])
    rows = _spread(
        [(88.5, 3.0), (30.0, 1.9), (12.0, 0.9), (-15.0, 0.75), (-30.0, 0.6), (-48.0, 0.9), (-62.0, 0.6), (-100.0, 0.7)]
    )
    return np.concatenate((-half[:0:-1], half[:-1])), rows


def _span(values: Array, low: float, high: float) -> tuple[int, int]:
    """Indices of the lines nearest to the two limits, smaller index first."""
    ends = sorted(int(np.abs(values - limit).argmin()) for limit in (low, high))
    return ends[0], ends[1]


def _perimeter(grid: Array, columns: tuple[int, int], rows: tuple[int, int]) -> Array:
    """Border vertices of a patch from the middle of its image-left side over the top and back below."""
    (c0, c1), (r0, r1) = columns, rows
    middle = (r0 + r1) // 2
    left_up = [grid[r, c0] for r in range(middle, r0, -1)]
    top = [grid[r0, c] for c in range(c0, c1)]
    right = [grid[r, c1] for r in range(r0, r1)]
    bottom = [grid[r1, c] for c in range(c1, c0, -1)]
    left_down = [grid[r, c0] for r in range(r1, middle, -1)]
    return np.array(left_up + top + right + bottom + left_down)


def build_chart() -> Chart:
    """The net with an empty set of rings round both eyes and the mouth (their points are set by `lay_rings`)."""
    azimuths, rows = _net()
    across, down = len(azimuths), len(rows)
    grid = np.arange(across * down).reshape(down, across)
    points = [np.stack(np.meshgrid(azimuths, rows), axis=-1).reshape(-1, 2)]
    patches = {
        "mouth": MOUTH_PATCH,
        "eye_left": EYE_PATCH,
        "eye_right": Patch(-EYE_PATCH.right, -EYE_PATCH.left, EYE_PATCH.low, EYE_PATCH.high),
    }
    covered = np.zeros((down, across), bool)
    rings: dict[str, Array] = {}
    faces: list[tuple[int, ...]] = []
    count = across * down
    for name, patch in patches.items():
        columns, lines = _span(azimuths, patch.left, patch.right), _span(rows, patch.low, patch.high)
        covered[lines[0] : lines[1], columns[0] : columns[1]] = True
        border = _perimeter(grid, columns, lines)
        steps = RING_STEPS + (LIP_STEPS if name == "mouth" else 0)
        inner = count + np.arange(steps * len(border)).reshape(steps, len(border))
        count += inner.size
        points.append(np.zeros((inner.size, 2)))
        rings[name] = np.vstack((inner, border))
        faces += ring_faces(rings[name])
    for r in range(down - 1):
        for c in range(across):
            if not covered[r, c]:
                n = (c + 1) % across
                faces.append((grid[r, c], grid[r + 1, c], grid[r + 1, n], grid[r, n]))
    return Chart(np.concatenate(points), faces, rings, azimuths, rows, grid)


def ring_faces(rings: Array) -> list[tuple[int, ...]]:
    """Quads between consecutive closed rings (steps, K), facing outwards for rings growing from an opening."""
    faces = []
    for inner, outer in itertools.pairwise(rings):
        for a, b, c, d in zip(inner, np.roll(inner, -1), np.roll(outer, -1), outer, strict=True):
            faces.append((int(a), int(b), int(c), int(d)))
    return faces


def unused(chart: Chart) -> Array:
    """Mask (N,) of net points no face uses (inside the patches)."""
    mask = np.ones(len(chart.points), bool)
    mask[np.unique(np.concatenate([np.array(face) for face in chart.faces]))] = False
    return mask


def lay_rings(chart: Chart, name: str, edge: Array, contour: Array | None = None) -> None:
    """Set a ring set's chart points: from `edge` (K, 2), over `contour` (K, 2; the lips' border), to the border.

    Even steps inside the contour; outside it, steps grow towards the border so that detail sits at the opening.
    """
    rings = chart.rings[name]
    border = chart.points[rings[-1]]
    start = 0
    if contour is not None:
        for step in range(LIP_STEPS):
            chart.points[rings[step]] = edge + (contour - edge) * step / LIP_STEPS
        start, edge = LIP_STEPS, contour
    for step in range(start, len(rings) - 1):
        share = (step - start) / RING_STEPS
        chart.points[rings[step]] = edge + (border - edge) * (0.55 * share + 0.45 * share * share)
