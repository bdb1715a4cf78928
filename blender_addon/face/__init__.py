# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces known from the scene: landmarks of meshes, projected into the picture."""
