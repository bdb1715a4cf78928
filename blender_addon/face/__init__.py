# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces known from the scene: landmarks of meshes, projected into the picture."""

from .projection import View, camera_view
from .scene import faces_in_view

__all__ = ["View", "camera_view", "faces_in_view"]
