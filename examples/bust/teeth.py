# SPDX-License-Identifier: GPL-3.0-or-later
"""Two rows of teeth with their gums, curved along the jaw; the lower row moves with the lower lip."""

from __future__ import annotations

import numpy as np

from .parts import Part, sheet_faces
from .skin import Skin

# Half widths (cm) from the middle to where each tooth ends.
TOOTH_ENDS = np.cumsum((0.43, 0.34, 0.38, 0.36, 0.36, 0.5))


def build_teeth(skin: Skin) -> list[Part]:
    """Upper and lower row."""
    edge = skin.rings["mouth"][0]
    upper, lower = int(edge[len(edge) // 4]), int(edge[3 * len(edge) // 4])
    return [_row(skin, 0.8, -0.32, 0.45, upper), _row(skin, -0.95, -0.22, 0.62, lower)]


def _row(skin: Skin, gum: float, tip: float, back: float, anchor: int) -> Part:
    """A row from `gum` to `tip` (heights against the lips' meeting line), `back` cm behind the lips."""
    across = np.linspace(-2.3, 2.3, 140)
    distance = np.abs(across)
    tooth = np.searchsorted(TOOTH_ENDS, distance).clip(0, len(TOOTH_ENDS) - 1)
    starts = np.concatenate(([0.0], TOOTH_ENDS))[tooth]
    within = np.clip((distance - starts) / (TOOTH_ENDS[tooth] - starts), 0.0, 1.0)
    bulge = (1.0 - (2.0 * within - 1.0) ** 6) * 0.09
    depth = np.linspace(0.0, 1.0, 9)[:, None]
    z = (
        skin.place.mouth_z
        + gum
        + (tip - gum) * depth
        + (1.0 - np.abs(2 * within - 1) ** 6 - 1.0) * 0.08 * depth * np.sign(tip - gum)
    )
    y = skin.place.lips_y + back + 0.20 * across**2 - bulge * np.sin(np.pi * np.clip(depth * 0.8 + 0.1, 0, 1))
    vertices = np.stack(np.broadcast_arrays(across[None], y, z), axis=-1).reshape(-1, 3)
    white, pink = np.array((0.72, 0.66, 0.55)), np.array((0.42, 0.13, 0.12))
    gums = (depth < 0.3 + 0.06 * np.cos(within * 2 * np.pi)).reshape(-1, 1)
    shade = 1.0 - 0.55 * (distance / 2.3) ** 2
    colours = np.where(gums, pink, white) * np.broadcast_to(shade, z.shape).reshape(-1, 1)
    return Part(vertices, sheet_faces(9, len(across)), colours, np.full(len(vertices), anchor))
