# SPDX-License-Identifier: GPL-3.0-or-later
"""Viewport and render result as frames, in every Blender: right values, right way up, nothing changed."""

from __future__ import annotations

import pytest
from versioned_blender import Blender

pytestmark = pytest.mark.timeout(900)
SCRIPT = "capture_scene"


@pytest.mark.parametrize("kind", ["no_render", "no_render_linear"])
def test_missing_render_says_to_render_first(blender: Blender, kind: str) -> None:
    error = blender.report(SCRIPT)[kind]
    assert error["code"] == "invalid_file"
    assert "F12" in error["remedy"]


def test_scene_linear_render_is_exact_and_the_right_way_up(blender: Blender) -> None:
    linear = blender.report(SCRIPT)["linear"]
    assert (linear["shape"], linear["dtype"], linear["kind"]) == ([64, 64, 3], "float32", "scene_linear")
    assert linear["has_configuration"]
    assert linear["error"] < 1e-5


def test_display_render_is_finer_than_eight_bits(blender: Blender) -> None:
    standard = blender.report(SCRIPT)["standard"]
    assert (standard["shape"], standard["dtype"], standard["view"]) == ([64, 64, 3], "float32", "Standard")
    assert standard["contiguous"]
    assert standard["error"] < 0.02  # of an 8-bit level
    assert standard["source"] == ["Scene", "camera", 1]


@pytest.mark.parametrize("view", ["Standard", "Filmic", "AgX"])
def test_display_render_equals_the_picture_blender_saves(blender: Blender, view: str) -> None:
    seen = blender.report(SCRIPT)["views"][view]
    assert seen["encoding"] == [view, 0.5, pytest.approx(1.2)]
    assert seen["max"] < 0.51  # the rounding of the saved 8-bit file


def test_view_without_inverse_is_refused(blender: Blender) -> None:
    error = blender.report(SCRIPT)["false_color"]
    assert error["code"] == "invalid_setting"
    assert "AgX" in error["remedy"]


def test_no_setting_changes_even_on_errors(blender: Blender) -> None:
    report = blender.report(SCRIPT)
    assert report["error_in_between"]["code"] == "invalid_file"
    assert report["changed_settings"] == {label: [] for label in report["changed_settings"]}
    assert len(report["changed_settings"]) == 9


def test_file_colour_settings_display_and_look_are_left_out(blender: Blender) -> None:
    report = blender.report(SCRIPT)
    assert report["override"]["max"] < 0.01
    assert report["other_display_and_look"]["look"] == "None"
    assert report["other_display_and_look"]["max"] < 0.01


def test_alpha_comes_along_where_the_film_is_transparent(blender: Blender) -> None:
    transparent = blender.report(SCRIPT)["transparent"]
    assert transparent == {"shape": [32, 32, 4], "corner_alpha": 0.0, "middle_alpha": 1.0}


def test_viewport_has_the_size_and_view_of_the_render(blender: Blender) -> None:
    viewport = blender.report(SCRIPT)["viewport"]
    assert viewport["size"] == [174, 116]
    assert viewport["rendered"]["shape"] == [116, 174, 3]
    assert viewport["rendered"]["view"] == "AgX"
    assert viewport["rendered"]["off_render"] < 2.0


def test_solid_viewport_is_plain_srgb_and_the_right_way_up(blender: Blender) -> None:
    viewport = blender.report(SCRIPT)["viewport"]
    assert viewport["solid"]["view"] == "Standard"
    # The plane's colour, (0.8, 0.1, 0.1) linear, in sRGB.
    assert viewport["top_left"] == pytest.approx([0.906, 0.349, 0.349], abs=0.01)
    red, green, blue = viewport["bottom_right"]
    assert red == pytest.approx(green, abs=0.02) == pytest.approx(blue, abs=0.02)


def test_viewport_capture_leaves_the_interface_alone(blender: Blender) -> None:
    viewport = blender.report(SCRIPT)["viewport"]
    assert viewport["rendered"]["changed"] == []
    assert viewport["solid"]["changed"] == []


def test_viewport_without_camera(blender: Blender) -> None:
    report = blender.report(SCRIPT)
    assert report["viewport_own_view"] == [[50, 90, 3], ""]
    assert report["no_camera"]["code"] == "invalid_setting"


def test_opening_the_gpu_calls_no_render_handler(blender: Blender) -> None:
    assert blender.report(SCRIPT)["handlers"] == {"calls": [], "left": [1, 1]}
