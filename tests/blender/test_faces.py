# SPDX-License-Identifier: GPL-3.0-or-later
"""Faces known from the scene, in every Blender: where they are, and which are left out."""

from __future__ import annotations

import pytest
from versioned_blender import Blender

pytestmark = pytest.mark.timeout(900)
SCRIPT = "faces_scene"
EXACT = 1e-3  # pixels


def test_projection_agrees_with_the_pinhole_formula(blender: Blender) -> None:
    errors = blender.report(SCRIPT)["cameras"]
    assert len(errors) == 9
    assert {label: error for label, error in errors.items() if error is None or error > EXACT} == {}


def test_projection_agrees_with_a_render(blender: Blender) -> None:
    assert max(blender.report(SCRIPT)["dot_offsets"]) < 0.15  # pixels; the ball is a dozen pixels wide


def test_cropped_render_and_viewport_know_the_same_faces(blender: Blender) -> None:
    report = blender.report(SCRIPT)
    assert report["cropped"]["shape"] == [208, 201, 3]
    assert report["cropped"]["error"] < EXACT
    assert report["viewport_error"] < EXACT
    assert report["viewport_matrices"] < EXACT
    assert report["panorama"]


def test_landmarks_follow_shape_keys_armatures_and_modifiers(blender: Blender) -> None:
    deformed = blender.report(SCRIPT)["deformed"]
    assert deformed["shape key and armature"] < EXACT
    assert deformed["subdivision"] < EXACT
    assert deformed["masked"] < EXACT
    assert deformed["filled in"] < 3.0  # pixels of a face some 45 wide between the jaws' ends


@pytest.mark.parametrize(
    "case",
    [
        "in view",
        "turned 60 degrees",
        "half outside",
        "half covered",
        "half covered, orthographic",
        "behind a wall that is not rendered",
        "behind a cage",
        "behind a light blocker",
    ],
)
def test_visible_heads_are_kept(blender: Blender, case: str) -> None:
    assert blender.report(SCRIPT)["cases"][case] == ["Head"]


@pytest.mark.parametrize(
    "case",
    [
        "turned 100 degrees",
        "turned away",
        "outside",
        "behind the camera",
        "far away",
        "behind a wall",
        "the same in the viewport",
        "behind a wall, orthographic",
        "hidden head",
    ],
)
def test_hidden_heads_are_left_out(blender: Blender, case: str) -> None:
    assert blender.report(SCRIPT)["cases"][case] == []


def test_copies_are_faces_of_their_own(blender: Blender) -> None:
    report = blender.report(SCRIPT)
    assert report["copies"] == ["Head", "Twin", "Head 2"]
    assert len(report["mirrored"]) == 1
    assert report["mirrored"][0] < 0.5  # the template face is symmetric to that


def test_makehuman_bodies_by_joints_and_by_base_mesh(blender: Blender) -> None:
    makehuman = blender.report(SCRIPT)["makehuman"]
    assert makehuman["joints"][0] == "Joints"
    assert makehuman["joints"][1] < 0.1
    assert makehuman["body"][0] == "Body"
    assert makehuman["body"][1] < 0.1


def test_heads_of_the_portrait_scenes(blender: Blender) -> None:
    if not (blender.shared / "heads" / "scenes" / "avatar_1.blend").exists():
        pytest.skip("needs the portrait scenes of the optional data folder (LIFELIKE_SHARED)")
    report = blender.report("avatar_scenes")
    expected = {
        "1": ["Avatar_skin"],
        "2": ["Avatar_skin"],
        "3": ["Avatar_A_skin", "Avatar_B_skin"],
        "4": ["Avatar_skin"],
        "5": [],  # looks away from the camera
        "6": ["Avatar_skin"],  # fringe and scarf
    }
    assert {number: report[number] for number in expected} == expected
    assert max(frame["off"] for frame in report["animated"]) < 0.01
    noses = [frame["nose"][0] for frame in report["animated"]]
    assert noses[0] + 10 < noses[1] < noses[2] - 10
