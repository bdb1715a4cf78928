# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed distances to the soft forms a head is modelled from, and how forms melt together.

Points are float arrays (N, 3) in centimetres; every function returns (N,) distances, negative inside.
Smooth joining follows the polynomial smooth minimum (I. Quilez, "Smooth minimum").
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray


def ellipsoid(points: Array, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Array:
    """Approximate distance to an axis-aligned ellipsoid (exact on its surface)."""
    offset = points - np.asarray(centre, points.dtype)
    radii_array = np.asarray(radii, points.dtype)
    inside = np.sqrt(np.einsum("ij,ij->i", offset / radii_array, offset / radii_array)) + 1e-6
    slope = np.sqrt(np.einsum("ij,ij->i", offset / radii_array**2, offset / radii_array**2)) + 1e-6
    return inside * (inside - 1.0) / slope


def limb(
    points: Array,
    start: tuple[float, float, float],
    end: tuple[float, float, float],
    start_radius: float,
    end_radius: float,
) -> Array:
    """Distance to a rounded bar whose radius runs from `start_radius` to `end_radius`."""
    base = np.asarray(start, points.dtype)
    axis = np.asarray(end, points.dtype) - base
    along = np.clip((points - base) @ axis / float(axis @ axis), 0.0, 1.0)
    offset = points - base - along[:, None] * axis
    return np.sqrt(np.einsum("ij,ij->i", offset, offset)) - (start_radius + (end_radius - start_radius) * along)


def join(first: Array, second: Array, softness: float) -> Array:
    """Union of two forms whose meeting line is filled over `softness` centimetres."""
    blend = np.maximum(softness - np.abs(first - second), 0.0) / softness
    return np.minimum(first, second) - blend * blend * (0.25 * softness)


def carve(body: Array, tool: Array, softness: float) -> Array:
    """`body` with `tool` taken away, its edge rounded over `softness` centimetres."""
    return -join(-body, tool, softness)


def smoothstep(edge0: float, edge1: float, value: Array) -> Array:
    """0 at `edge0`, 1 at `edge1` (either order), smooth between."""
    t = np.clip((np.asarray(value) - edge0) / (edge1 - edge0), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)
