# SPDX-License-Identifier: GPL-3.0-or-later
"""Drawn faces whose landmarks are known, written as a set of pairs: enough to run trainings, not to learn anything."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw


def drawn_landmarks(size: int) -> np.ndarray:
    """(68, 2) pixels of a face filling most of a square picture."""
    points = np.empty((68, 2), np.float64)
    jaw = np.linspace(math.pi, 0, 17)
    points[:17] = np.stack([0.5 + 0.3 * np.cos(jaw), 0.47 + 0.42 * np.sin(jaw)], 1)
    for first, left in ((17, 0.27), (22, 0.55)):
        points[first : first + 5] = np.stack([np.linspace(left, left + 0.18, 5), np.full(5, 0.4)], 1)
    points[27:31] = np.stack([np.full(4, 0.5), np.linspace(0.46, 0.62, 4)], 1)
    points[31:36] = np.stack([np.linspace(0.44, 0.56, 5), np.full(5, 0.64)], 1)
    for first, middle in ((36, 0.36), (42, 0.64)):
        turn = np.linspace(math.pi, 3 * math.pi, 6, endpoint=False)
        points[first : first + 6] = np.stack([middle + 0.06 * np.cos(turn), 0.47 + 0.025 * np.sin(turn)], 1)
    turn = np.linspace(math.pi, 3 * math.pi, 12, endpoint=False)
    points[48:60] = np.stack([0.5 + 0.12 * np.cos(turn), 0.75 + 0.05 * np.sin(turn)], 1)
    turn = np.linspace(math.pi, 3 * math.pi, 8, endpoint=False)
    points[60:68] = np.stack([0.5 + 0.08 * np.cos(turn), 0.75 + 0.02 * np.sin(turn)], 1)
    return points * size


def draw_face(size: int, skin: tuple[int, int, int], backdrop: tuple[int, int, int]) -> Image.Image:
    """A flat face: skin, eyes, brows and mouth, at `drawn_landmarks`."""
    points = drawn_landmarks(size)
    picture = Image.new("RGB", (size, size), backdrop)
    draw = ImageDraw.Draw(picture)
    draw.ellipse([0.2 * size, 0.05 * size, 0.8 * size, 0.89 * size], fill=skin)
    for first, last, colour in ((36, 42, (240, 240, 240)), (42, 48, (240, 240, 240)), (48, 60, (170, 60, 60))):
        draw.polygon([tuple(point) for point in points[first:last]], fill=colour)
    for first in (17, 22):
        draw.line([tuple(point) for point in points[first : first + 5]], fill=(40, 25, 20), width=max(1, size // 32))
    return picture


def write_pairs(folder: Path, people: list[int], poses: int, size: int) -> None:
    """Write a set: one skin colour a person, the photo look a little brighter."""
    random = np.random.default_rng(0)
    rows = []
    for person in people:
        skin = tuple(int(level) for level in random.integers(90, 200, 3))
        for pose in range(poses):
            names = {look: f"{person:05}_{pose}_{look}.png" for look in ("render", "photo")}
            draw_face(size, skin, (30, 60, 90)).save(folder / names["render"])
            draw_face(size, tuple(min(255, level + 20) for level in skin), (40, 70, 95)).save(folder / names["photo"])
            rows.append({"identity": f"{person:05}", "pose": pose, "lm68": drawn_landmarks(size).tolist(), **names})
    (folder / "index.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
