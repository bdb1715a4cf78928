# SPDX-License-Identifier: GPL-3.0-or-later
"""The example avatar in every Blender: a complete scene, landmarks in the right order that follow the face."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from versioned_blender import Blender


@pytest.fixture
def report(blender: Blender) -> Any:
    """What scripts/example_avatar.py measured."""
    return blender.report("example_avatar")


def test_scene_is_complete(report: Any) -> None:
    assert report["camera"]
    assert report["lights"] == 3
    assert report["finite"]
    assert report["keys"] == ["Basis", "smile", "mouth_open", "brows_up", "blink"]
    left, right = report["eyes"]
    assert left[0] > 0.02
    assert left[0] == pytest.approx(-right[0], abs=1e-5)
    assert left[1] == pytest.approx(-0.066, abs=0.006), "the eyeballs sit in their sockets"


def test_every_landmark_is_one_vertex(report: Any) -> None:
    groups = report["groups"]
    assert sorted(groups) == [f"lifelike_{number:02d}" for number in range(68)]
    assert all(len(members) == 1 and members[0][1] == pytest.approx(1.0) for members in groups.values())
    assert len({members[0][0] for members in groups.values()}) == 68


def test_landmarks_are_in_order(report: Any) -> None:
    points = np.array(report["neutral"])
    x, y = points[:, 0], points[:, 1]
    assert (np.diff(x[0:17]) > 0).sum() >= 14, "the outline runs from the image's left to its right"
    assert y[8] == y.max(), "the chin is lowest"
    assert (np.diff(x[17:27]) > 0).all()
    assert (np.diff(y[27:31]) > 0).all(), "the bridge runs down"
    assert (np.diff(x[31:36]) > 0).all()
    eyes, mouth = points[36:48], points[48:68]
    assert y[17:27].max() < eyes[:, 1].min() + 2.0
    assert eyes[:, 1].max() < y[31:36].min() < y[31:36].max() < mouth[:, 1].min() < mouth[:, 1].max() < y[8]
    assert x[36] < x[37] < x[38] < x[39] < x[42] < x[43] < x[44] < x[45]
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (62, 66)):
        assert y[upper] < y[lower] + 0.5
    assert (np.diff(x[48:55]) > 0).all()
    assert (np.diff(x[54:60]) < 0).all()
    assert x[48] < x[60] < x[61] < x[62] < x[63] < x[64] < x[54]
    middle = (x[27] + x[8]) / 2
    opposite = [(0, 16), (4, 12), (17, 26), (36, 45), (39, 42), (31, 35), (48, 54)]
    for right, left in opposite:
        assert x[right] + x[left] == pytest.approx(2 * middle, abs=4.0), "the face is symmetrical"


def test_expressions_move_their_landmarks(report: Any) -> None:
    neutral = np.array(report["neutral"])
    between_eyes = np.linalg.norm(neutral[36:42].mean(axis=0) - neutral[42:48].mean(axis=0))

    def moved(name: str) -> Any:
        return (np.array(report[name]) - neutral) / between_eyes

    smile, opened, brows, blink = (moved(name) for name in ("smile", "mouth_open", "brows_up", "blink"))
    assert smile[48, 1] < -0.03
    assert smile[54, 1] < -0.03
    assert smile[48, 0] < -0.03 < 0.03 < smile[54, 0]
    assert opened[66, 1] - opened[62, 1] > 0.12
    assert opened[8, 1] > 0.12
    assert np.abs(opened[17:36]).max() < 0.02, "an opening mouth leaves brows and nose alone"
    assert (brows[17:27, 1] < -0.02).all()
    opening = (neutral[[41, 40, 47, 46], 1] - neutral[[37, 38, 43, 44], 1]) / between_eyes
    shut = (blink[[37, 38, 43, 44], 1] - blink[[41, 40, 47, 46], 1]) / opening
    assert (shut > 0.75).all(), "the lids meet"
    assert np.abs(blink[48:68]).max() < 0.01


def test_landmarks_follow_the_head(report: Any) -> None:
    neutral, turned, pitched, rolled = (np.array(report[n]) for n in ("neutral", "turned", "pitched", "rolled"))
    size = np.linalg.norm(neutral[36] - neutral[45])
    assert turned[30, 0] - turned[[0, 16], 0].mean() > 0.15 * size, "to the subject's left is the image's right"
    assert pitched[30, 1] - pitched[[36, 45], 1].mean() < neutral[30, 1] - neutral[[36, 45], 1].mean() - 0.02 * size
    line = rolled[45] - rolled[36]
    assert np.degrees(np.arctan2(line[1], line[0])) == pytest.approx(15.0, abs=2.0), "towards the left shoulder"


def test_parameters_change_the_face(report: Any) -> None:
    assert report["skin_is_the_mesh"] < 0.01
    assert all(centimetres > 0.05 for centimetres in report["changed"].values()), report["changed"]


def test_hair_styles(report: Any) -> None:
    styles = report["styles"]
    assert styles.pop("bald")["vertices"] == 0
    assert len(styles) >= 5
    assert all(style["finite"] and style["vertices"] > 1000 for style in styles.values())
