# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks of MakeHuman and MPFB bodies, which carry joints instead of landmark groups."""

from __future__ import annotations

import bpy
import numpy as np

from . import hm08
from .landmarks import evaluated_mesh, fill_missing, group_centres

_EYES = ("joint-r-eye", "joint-l-eye")


def carries_joints(item: bpy.types.Object) -> bool:
    """Whether a mesh object has the joint groups of a MakeHuman body, at least those of the eyes."""
    return item.type == "MESH" and all(name in item.vertex_groups for name in _EYES)


def landmarks_from_joints(item: bpy.types.Object, depsgraph: bpy.types.Depsgraph) -> np.ndarray | None:
    """The 68 landmarks after modifiers, shape keys and armatures.

    On the whole base mesh "hm08" they are known vertices. Otherwise, where only the joints of eyes and mouth
    tell, they are SYNTHESISED: a template face, moved, turned and scaled to those joints. Its eyes and mouth are
    then about right, which is what alignment needs; its outline is an average person's.

    Returns:
        (68, 3) float64 in the object's own space, or None when the mesh shows neither.
    """
    with evaluated_mesh(item, depsgraph) as mesh:
        if len(item.data.vertices) == hm08.VERTEX_COUNT:
            points = _of_base_mesh(item, mesh)
            if points is not None:
                return points
        return _synthesised(item, mesh)


def _of_base_mesh(item: bpy.types.Object, mesh: bpy.types.Mesh) -> np.ndarray | None:
    """Positions of the known vertices; None where modifiers other than masks renumbered the vertices."""
    original = item.data
    kept = _kept_by_masks(item)
    renumbered = np.cumsum(kept) - 1
    points = np.full((len(hm08.LANDMARK_VERTICES), 3), np.nan)
    for row, index in enumerate(hm08.LANDMARK_VERTICES):
        if not kept[index]:
            continue
        now = int(renumbered[index])
        if now >= len(mesh.vertices) or not _same_groups(original.vertices[index], mesh.vertices[now]):
            return None
        points[row] = mesh.vertices[now].co
    rest = np.array([original.vertices[index].co for index in hm08.LANDMARK_VERTICES], dtype=np.float64)
    return fill_missing(points, rest)


def _kept_by_masks(item: bpy.types.Object) -> np.ndarray:
    """(vertices,) bool: what the mask modifiers shown (hidden helpers, skin under clothes) leave."""
    kept = np.ones(len(item.data.vertices), dtype=bool)
    for modifier in item.modifiers:
        if modifier.type != "MASK" or modifier.mode != "VERTEX_GROUP" or not modifier.show_viewport:
            continue
        group = item.vertex_groups.get(modifier.vertex_group)
        if group is not None:
            inside = _weights(item.data, group.index) > modifier.threshold
            kept &= ~inside if modifier.invert_vertex_group else inside
    return kept


def _weights(mesh: bpy.types.Mesh, group: int) -> np.ndarray:
    weights = np.zeros(len(mesh.vertices))
    for vertex in mesh.vertices:
        for membership in vertex.groups:
            if membership.group == group:
                weights[vertex.index] = membership.weight
    return weights


def _same_groups(one: bpy.types.MeshVertex, other: bpy.types.MeshVertex) -> bool:
    def groups(vertex: bpy.types.MeshVertex) -> set[int]:
        return {membership.group for membership in vertex.groups if membership.weight > 1e-3}

    return groups(one) == groups(other)


def _synthesised(item: bpy.types.Object, mesh: bpy.types.Mesh) -> np.ndarray | None:
    names = [name for name in hm08.JOINTS if name in item.vertex_groups]
    centres = group_centres(mesh, item, names)
    known = ~np.isnan(centres[:, 0])
    joints = {name for name, is_known in zip(names, known, strict=True) if is_known}
    if not joints.issuperset(_EYES) or not joints - set(_EYES):
        return None
    template = np.array([hm08.JOINTS[name] for name in names])
    scale, rotation, shift = _similarity(template[known], centres[known])
    return scale * np.array(hm08.LANDMARKS) @ rotation.T + shift


def _similarity(source: np.ndarray, target: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation (3, 3) and shift (3,) of the least-squares similarity source → target, both (N, 3).

    S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", 1991.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    from_mean, to_mean = source - source_mean, target - target_mean
    left, spread, right = np.linalg.svd(to_mean.T @ from_mean)
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left * sign @ right
    scale = float((spread * sign).sum() / (from_mean**2).sum())
    return scale, rotation, target_mean - scale * rotation @ source_mean
