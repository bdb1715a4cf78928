# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture to measure with where none is given: no face in it, but landmarks to send along, as a scene's are."""

from __future__ import annotations

import numpy as np

from lifelike_protocol.messages import Array

GRAIN = 2.0
"""Standard deviation, of 255, of what a render's last samples leave: about as hard to compress as one."""


def drawn_picture(side: int, seed: int) -> Array:
    """(side, side, 3) uint8: soft waves of colour under grain."""
    random = np.random.default_rng(seed)
    across, down = np.meshgrid(*[np.linspace(0, 2 * np.pi, side, dtype=np.float32)] * 2)
    waves = [np.sin(a * across + b * down + c) for a, b, c in random.uniform(0.5, 3.0, (3, 3))]
    picture = 128 + 60 * np.stack(waves, 2) + random.normal(0, GRAIN, (side, side, 3))
    pixels: Array = picture.clip(0, 255).astype(np.uint8)
    return pixels


def upright_landmarks(side: int) -> Array:
    """(68, 2) float64: an upright face a third as wide as the picture, in its middle. A drawing is enough to align
    by, and what the networks make of no face costs as much as what they make of one."""
    jaw = _arc(0, -0.05, 0.5, 0.62, 180, 0, 17)
    brows = [_arc(x, -0.2, 0.15, 0.08, 200, 340, 5) for x in (-0.22, 0.22)]
    nose = [np.stack([np.zeros(4), np.linspace(-0.15, 0.1, 4)], 1), _arc(0, 0.13, 0.09, 0.03, 180, 0, 5)]
    eyes = [_arc(x, -0.13, 0.08, 0.035, 180, 480, 6) for x in (-0.2, 0.2)]
    lips = [_arc(0, 0.3, 0.17, 0.07, 180, 510, 12), _arc(0, 0.3, 0.12, 0.03, 180, 495, 8)]
    face = np.concatenate([jaw, *brows, *nose, *eyes, *lips])
    return face * side / 3 + side / 2


def _arc(x: float, y: float, width: float, height: float, start: float, stop: float, count: int) -> Array:
    """`count` points of an ellipse from `start` to `stop` degrees."""
    angle = np.radians(np.linspace(start, stop, count))
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], 1)
