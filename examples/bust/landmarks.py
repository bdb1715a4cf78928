# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 facial landmarks (iBUG order) as vertices of the skin.

0…16 the outline from the image's left ear over the chin, 17…26 brows, 27…35 nose, 36…47 eyes, 48…67 lips.
"The image's left" is the subject's right (-X).
"""

from __future__ import annotations

import numpy as np

from .chart import LIP_STEPS
from .distance import Array
from .skin import Skin

COUNT = 68


def landmark_vertices(skin: Skin) -> list[int]:
    """68 distinct vertex indices of the skin."""
    chosen: list[int] = []
    candidates = np.arange(len(skin.vertices))
    candidates = candidates[np.isin(candidates, np.unique(skin.chart.grid)) & (skin.vertices[:, 1] < 4.0)]
    used = np.unique(np.concatenate([np.array(face) for face in skin.chart.faces]))
    candidates = candidates[np.isin(candidates, used)]

    def nearest(target: Array) -> int:
        order = np.argsort(((skin.vertices[candidates] - target) ** 2).sum(axis=1))
        return int(next(index for index in candidates[order] if index not in chosen))

    for target in np.vstack((_outline(skin, candidates), _brows(skin), _nose(skin))):
        chosen.append(nearest(target))
    for name in ("eye_right", "eye_left"):
        edge = skin.rings[name][0]
        chosen += [int(edge[_column(len(edge), turn)]) for turn in (0.0, 0.36, 0.66, 1.0, 1.34, 1.66)]
    chosen += _lips(skin)
    return chosen


def _column(count: int, turn: float) -> int:
    """Ring column at a round-trip position 0…2 (see `loop_parameters`)."""
    return round(turn * count / 2.0) % count


def _outline(skin: Skin, candidates: Array) -> Array:
    """Seventeen targets at even distances along the outline: from beside the ears along the jaw round the chin."""
    rows = np.array([skin.chart.points[i, 1] for i in candidates])
    face = skin.vertices[candidates][(rows > -54.0) & (rows < 12.0)]
    right = face[(face[:, 0] < 0.0) & (face[:, 1] < 1.5)]
    sides = []
    for level in np.arange(-0.3, -4.6, -0.6):
        near = right[(np.abs(right[:, 2] - level) < 0.4) & (np.abs(right[:, 1] + 0.3) < 1.2)]
        sides.append(near[near[:, 0].argmin()])
    middle = face[(np.abs(face[:, 0]) < 0.1) & (face[:, 2] < -8.0)]
    chin = middle[(middle @ np.array((0.0, -0.5, -1.0))).argmax()]
    # The furthest places towards left-and-down directions trace the jaw's silhouette from its angle to the chin.
    low = right[(right[:, 2] < sides[-1][2]) & (right[:, 2] > chin[2] - 0.1)]
    angles = np.radians(np.arange(12.0, 82.0, 3.0))
    towards = np.stack((-np.cos(angles), np.full_like(angles, -0.3), -np.sin(angles)), axis=1)
    jaw = low[(low @ towards.T).argmax(axis=0)]
    path = np.vstack((sides, jaw, chin[None]))
    length = np.concatenate(([0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))))
    even = np.linspace(0.0, length[-1], 9)
    half = np.stack([np.interp(even, length, path[:, axis]) for axis in range(3)], axis=1)
    return np.vstack((half, half[-2::-1] * (-1.0, 1.0, 1.0)))


def brow_curve(skin: Skin, along: Array) -> Array:
    """Places (N, 2: x, z) on the subject's left brow, `along` from 0 (nose) to 1 (temple)."""
    along = np.asarray(along)
    x = 1.25 + 3.55 * along
    z = skin.place.brow_z + 0.28 + 0.5 * np.sin(np.pi * np.clip(along * 0.86, 0.0, 1.0)) - 0.62 * along**3
    return np.stack((x, z), axis=-1)


def _brows(skin: Skin) -> Array:
    curve = brow_curve(skin, np.array((0.97, 0.76, 0.52, 0.28, 0.03)))
    right = np.array([_front(skin, -x, z) for x, z in curve])
    return np.vstack((right, right[::-1] * (-1.0, 1.0, 1.0)))


def _front(skin: Skin, x: float, z: float) -> Array:
    """The skin's place at (x, z) seen from the front."""
    plane = (skin.vertices[:, 0] - x) ** 2 + (skin.vertices[:, 2] - z) ** 2 + (skin.vertices[:, 1] > -3.0) * 100.0
    return np.asarray(skin.vertices[plane.argmin()])


def _nose(skin: Skin) -> Array:
    base, half = skin.place.nose_base_z, skin.place.nose_half
    middle = skin.vertices[(np.abs(skin.vertices[:, 0]) < 0.25) & (skin.vertices[:, 1] < -6.0)]
    tip = middle[middle[:, 1].argmin()]
    bridge = [_front(skin, 0.0, z) for z in np.linspace(0.55, tip[2] + 0.05, 4)[:3]]
    under = [_front(skin, x, base + rise) for x, rise in ((-half * 0.78, 0.2), (-half * 0.4, -0.05), (0.0, -0.22))]
    lower = np.array(under)
    return np.vstack((bridge, tip[None], lower, lower[1::-1] * (-1.0, 1.0, 1.0)))


def _lips(skin: Skin) -> list[int]:
    outer, inner = skin.rings["mouth"][LIP_STEPS], skin.rings["mouth"][0]
    count = len(outer)
    outer_turns = (0.0, 0.22, 0.41, 0.5, 0.59, 0.78, 1.0, 1.24, 1.41, 1.5, 1.59, 1.76)
    inner_turns = (0.09, 0.33, 0.5, 0.67, 0.91, 1.33, 1.5, 1.67)
    first = [int(outer[_column(count, turn)]) for turn in outer_turns]
    return first + [int(inner[_column(count, turn)]) for turn in inner_turns]
