# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs made in memory, of noise: people differ by a base colour, so that their pictures resemble each other."""

from __future__ import annotations

import numpy as np

from lifelike.datasets.pairs import Pairs
from made_up_pairs import drawn_landmarks

SIZE = 64
FIRST = 40
"""The first person's number, which is a reserved one."""


def face_points(size: int = SIZE) -> np.ndarray:
    """(68, 2) float32, the outer eye corners three tenths of the side apart."""
    points = drawn_landmarks(size).astype(np.float32)
    points[36:42], points[42:48] = (size * 0.35, size * 0.45), (size * 0.65, size * 0.45)
    return points


def people_in_pairs(people: int = 4, poses: int = 3, size: int = SIZE) -> Pairs:
    """N = people · poses pairs; every other person is a woman, ages rise, no ethnicity is stated."""
    random = np.random.default_rng(5)
    person = np.repeat(np.arange(people), poses)
    base = random.integers(60, 180, (people, 1, 1, 3))[person]
    render = np.clip(base + random.integers(-30, 30, (len(person), size, size, 3)), 0, 255).astype(np.uint8)
    photo = np.clip(render.astype(np.int64) + random.integers(-20, 20, render.shape), 0, 255).astype(np.uint8)
    ages = np.linspace(0.4, 0.9, people)
    return Pairs(
        render=render,
        photo=photo,
        landmarks=np.stack([face_points(size)] * len(person)),
        identity=(FIRST + person).astype(np.int64),
        pose=np.tile(np.arange(poses), people).astype(np.int64),
        yaw=np.zeros(len(person), np.float32),
        attributes=[{"gender": float(who % 2), "age": float(ages[who])} for who in person],
    )
