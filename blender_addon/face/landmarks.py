# SPDX-License-Identifier: GPL-3.0-or-later
"""The 68 landmarks of a mesh that carries them in vertex groups `lifelike_00` … `lifelike_67`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np

COUNT = 68
GROUPS = tuple(f"lifelike_{index:02d}" for index in range(COUNT))

# Which landmark each becomes in a mirror image (iBUG order).
MIRRORED = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip


def carries_landmarks(item: bpy.types.Object) -> bool:
    """Whether a mesh object has all 68 vertex groups."""
    return item.type == "MESH" and all(name in item.vertex_groups for name in GROUPS)


def landmarks_of(item: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> np.ndarray | None:
    """Landmarks after modifiers, shape keys and armatures.

    Each landmark is the vertex of greatest weight in its group. Vertices that a modifier removed (a mask
    under clothes) are put where the affine map from the unmodified mesh, fitted to the others, takes them.

    Returns:
        (68, 3) float64 in the object's own space, or None when too few survive.
    """
    with evaluated_mesh(item, depsgraph) as mesh:
        now = heaviest_vertices(mesh, item, GROUPS)
    if not np.isnan(now).any():
        return now
    return fill_missing(now, heaviest_vertices(item.data, item, GROUPS))


def fill_missing(now: np.ndarray, original: np.ndarray) -> np.ndarray | None:
    """Puts missing landmarks (NaN) where the affine map original → now, fitted to the others, takes them.

    Args:
        now, original: (68, 3), the same landmarks after and before modifiers.

    Returns:
        (68, 3), or None when fewer than half are known.
    """
    missing = np.isnan(now[:, 0])
    known = ~missing & ~np.isnan(original[:, 0])
    if known.sum() < COUNT // 2 or np.isnan(original[missing]).any():
        return None
    filled = now.copy()
    filled[missing] = _affine(original[known], now[known], original[missing])
    return filled


@contextmanager
def evaluated_mesh(item: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> Iterator[bpy.types.Mesh]:
    """The object's mesh after modifiers, with its vertex groups."""
    evaluated = item.evaluated_get(depsgraph)
    # Viewport evaluation drops vertex groups that no modifier asks for, hence preserve_all_data_layers.
    mesh = evaluated.to_mesh(preserve_all_data_layers=True, depsgraph=depsgraph)
    try:
        yield mesh
    finally:
        evaluated.to_mesh_clear()


def heaviest_vertices(mesh: bpy.types.Mesh, item: bpy.types.Object, names: Sequence[str]) -> np.ndarray:
    """(len(names), 3) float64: the vertex of greatest weight in each group; NaN where a group is empty."""
    wanted = {item.vertex_groups[name].index: row for row, name in enumerate(names)}
    best = np.zeros(len(names))
    points = np.full((len(names), 3), np.nan)
    for vertex in mesh.vertices:
        for group in vertex.groups:
            row = wanted.get(group.group)
            if row is not None and group.weight > best[row]:
                best[row] = group.weight
                points[row] = vertex.co
    return points


def group_centres(mesh: bpy.types.Mesh, item: bpy.types.Object, names: Sequence[str]) -> np.ndarray:
    """(len(names), 3) float64: the mean of each group's vertices; NaN where a group is empty."""
    wanted = {item.vertex_groups[name].index: row for row, name in enumerate(names)}
    sums, counts = np.zeros((len(names), 3)), np.zeros(len(names))
    for vertex in mesh.vertices:
        for group in vertex.groups:
            row = wanted.get(group.group)
            if row is not None and group.weight > 0.5:
                sums[row] += vertex.co
                counts[row] += 1
    return np.divide(sums, counts[:, None], out=np.full_like(sums, np.nan), where=counts[:, None] > 0)


def _affine(source: np.ndarray, target: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Applies the least-squares affine map source → target to `points`; all (N, 3)."""
    with_one = np.concatenate([source, np.ones((len(source), 1))], axis=1)
    solution = np.linalg.lstsq(with_one, target, rcond=None)[0]
    return np.concatenate([points, np.ones((len(points), 1))], axis=1) @ solution
