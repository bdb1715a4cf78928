# SPDX-License-Identifier: GPL-3.0-or-later
"""World → pixels, for cameras and 3D viewports."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector

from .. import compat


@dataclass(frozen=True)
class View:
    """How a picture looks at the world, in OpenGL's conventions.

    world_to_view: 4×4, the camera at the origin looks along −z, y up.
    projection: 4×4, view space to clip space; x and y of −1…1 span the picture.
    """

    world_to_view: Matrix
    projection: Matrix

    @classmethod
    def of_matrices(cls, world_to_view: Matrix, projection: Matrix) -> View:
        """From the matrices of a 3D viewport (`region_3d.view_matrix`, `window_matrix`)."""
        return cls(world_to_view.copy(), projection.copy())

    @property
    def is_perspective(self) -> bool:
        return abs(self.projection[3][3]) < 1e-9

    def to_pixels(self, points: np.ndarray, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
        """Projects points.

        Args:
            points: (N, 3) world space.
            width, height: of the picture, in pixels.

        Returns:
            (N, 2) float64 pixels, x right, y down, centre of the first pixel at (0.5, 0.5);
            (N,) bool, whether the point lies in front of the camera.
        """
        clip = _homogeneous(points) @ np.array(self.projection @ self.world_to_view).T
        depth = clip[:, 3]
        in_front = depth > 1e-9
        normalised = clip[:, :2] / np.where(in_front, depth, 1.0)[:, None]
        pixels = np.stack([(normalised[:, 0] + 1) / 2 * width, (1 - normalised[:, 1]) / 2 * height], axis=1)
        return pixels, in_front

    def to_view(self, points: np.ndarray) -> np.ndarray:
        """(N, 3) world space → (N, 3) view space."""
        return (_homogeneous(points) @ np.array(self.world_to_view).T)[:, :3]

    def ray_origin(self, point: Vector, reach: float) -> Vector:
        """Where the line of sight to a world point starts: the eye, or in orthographic views `reach` before it."""
        view_to_world = self.world_to_view.inverted()
        if self.is_perspective:
            return view_to_world.translation
        towards_eye = (view_to_world.to_3x3() @ Vector((0, 0, 1))).normalized()
        return point + towards_eye * reach


def camera_view(
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph,
    camera: bpy.types.Object,
    width: int,
    height: int,
    border: bool = True,
) -> View | None:
    """How `camera` sees a picture of width × height pixels.

    Lens, orthographic scale, shift, sensor fit and the scene's pixel aspect are honoured. With `border`, a
    picture of the size of the scene's cropped render region is taken for that region.

    Returns:
        The view, or None for panoramic cameras, which have no projection matrix.
    """
    if camera.type != "CAMERA" or camera.data.type not in ("PERSP", "ORTHO"):
        return None
    render = scene.render
    full_width, full_height, window = width, height, Matrix.Identity(4)
    region = _cropped_region(scene) if border else None
    if region is not None:
        full_width, full_height, (x0, y0, x1, y1) = region
        if (x1 - x0, y1 - y0) == (width, height):
            window = _window(full_width, full_height, x0, y0, x1, y1)
        else:
            full_width, full_height = width, height
    evaluated = camera.evaluated_get(depsgraph)
    projection = evaluated.calc_matrix_camera(
        depsgraph, x=full_width, y=full_height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
    )
    return View(evaluated.matrix_world.normalized().inverted(), window @ projection)


def _cropped_region(scene: bpy.types.Scene) -> tuple[int, int, tuple[int, int, int, int]] | None:
    """Full size, and the region (left, bottom, right, top) in pixels from the lower left, cut as Blender cuts it."""
    render = scene.render
    if not (render.use_border and render.use_crop_to_border):
        return None
    width, height = compat.render_size(scene)
    box = (
        int(render.border_min_x * width),
        int(render.border_min_y * height),
        int(render.border_max_x * width),
        int(render.border_max_y * height),
    )
    return width, height, box


def _window(width: int, height: int, x0: int, y0: int, x1: int, y1: int) -> Matrix:
    """Clip space of the full picture → clip space of the region."""
    scale_x, scale_y = width / (x1 - x0), height / (y1 - y0)
    window = Matrix.Diagonal((scale_x, scale_y, 1, 1))
    window[0][3] = (width - x0 - x1) / (x1 - x0)
    window[1][3] = (height - y0 - y1) / (y1 - y0)
    return window


def _homogeneous(points: np.ndarray) -> np.ndarray:
    return np.concatenate([points, np.ones((len(points), 1))], axis=1)
