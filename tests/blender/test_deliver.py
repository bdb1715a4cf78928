# SPDX-License-Identifier: GPL-3.0-or-later
"""Results as image, texture and compositor node, in every Blender, by their pixels."""

from __future__ import annotations

import pytest
from versioned_blender import Blender

pytestmark = pytest.mark.timeout(900)
SCRIPT = "deliver_scene"
ROUNDING = 0.02  # 8-bit levels; 16-bit files and float compositing stay below


def test_image_is_packed_and_kept(blender: Blender) -> None:
    images = blender.report(SCRIPT)["images"]
    assert images["packed"]
    assert images["fake_user"]
    assert images["is_float"]
    assert images["error"] < ROUNDING


def test_next_run_updates_the_same_image(blender: Blender) -> None:
    images = blender.report(SCRIPT)["images"]
    assert images["same_datablock"]
    assert images["size_after_update"] == [48, 32]
    assert images["error_after_update"] < ROUNDING


def test_users_image_of_the_same_name_is_left_alone(blender: Blender) -> None:
    images = blender.report(SCRIPT)["images"]
    assert images["name"] == "Portrait Lifelike.001"
    assert images["theirs"] == [[4, 4], pytest.approx(0.25, abs=0.01), False]


def test_eight_bit_results_and_alpha_are_kept(blender: Blender) -> None:
    images = blender.report(SCRIPT)["images"]
    assert images["eight_bits"] == {"is_float": False, "same": True}
    assert images["alpha_error"] < 1e-4


def test_image_remembers_the_terms_of_its_own_run(blender: Blender) -> None:
    assert blender.report(SCRIPT)["images"]["terms"] == [
        "Non-commercial: CC-BY-NC-4.0\nPlease cite:\nA work",
        None,
    ]


def test_mask_covers_the_faces_and_nothing_else(blender: Blender) -> None:
    mask = blender.report(SCRIPT)["images"]["mask"]
    assert mask == {"name": "Portrait Lifelike Mask", "space": "Non-Color", "inside": 1.0, "outside": 0.0}


def test_image_survives_saving_and_opening(blender: Blender) -> None:
    reopened = blender.report(SCRIPT)["after_reopening"]
    assert reopened["error"] < ROUNDING
    assert reopened["updates_in_place"]


def test_texture_leaves_a_wired_material_alone(blender: Blender) -> None:
    textures = blender.report(SCRIPT)["textures"]
    assert textures["wired_material_new_nodes"] == ["Lifelike"]
    assert textures["wired_material_links"]
    assert textures["holds_image"]


@pytest.mark.parametrize("mapping", ["rendered", "without_uv"])
def test_object_without_material_shows_the_picture_itself(blender: Blender, mapping: str) -> None:
    textures = blender.report(SCRIPT)["textures"]
    assert textures["new_material"] == "plane Lifelike"
    assert textures[mapping]["max"] < 0.5


def test_texture_is_wired_to_a_free_colour_socket(blender: Blender) -> None:
    textures = blender.report(SCRIPT)["textures"]
    assert textures["plain_material_wired_to"] == ["Base Color"]
    assert textures["no_materials"]["code"] == "invalid_setting"


def test_node_is_inserted_before_the_output_and_changes_nothing_else(blender: Blender) -> None:
    node = blender.report(SCRIPT)["compositor"]
    assert node["new_nodes"] == ["Lifelike"]
    assert node["sockets"] == ["Image", "Strength", "Mask"]
    assert node["places_stay"]
    assert node["settings"] == []
    assert [link[:2] for link in node["lost_links"]] == [["Exposure", "Image"]]
    assert sorted([link[0], link[2]] for link in node["new_links"]) == [
        ["Exposure", "Lifelike"],
        ["Lifelike", node["lost_links"][0][2]],
    ]


def test_strength_and_mask_work_live(blender: Blender) -> None:
    node = blender.report(SCRIPT)["compositor"]
    for picture in (*node["strengths"].values(), node["mask_socket"]):
        assert picture["inside"] < ROUNDING
        assert picture["outside"] < 1e-6
    assert node["half"]


def test_next_run_updates_the_node_in_place(blender: Blender) -> None:
    update = blender.report(SCRIPT)["compositor"]["update"]
    assert update["same_node"]
    assert update["same_count"]
    assert update["drivers"] == 1
    assert update["strength_kept"] == 0.25
    assert update["picture"]["inside"] < ROUNDING
    assert update["picture"]["outside"] < 1e-6


@pytest.mark.parametrize("percentage", ["15", "50"])
def test_scene_without_compositor_gets_one(blender: Blender, percentage: str) -> None:
    delivered = blender.report(SCRIPT)["no_compositor"][percentage]
    assert delivered["strength"] == pytest.approx(0.75)
    assert delivered["composited"] < ROUNDING


def test_node_still_fits_at_another_resolution(blender: Blender) -> None:
    shape, difference = blender.report(SCRIPT)["no_compositor"]["twice_the_size"]
    assert shape == [160, 320, 3]
    assert difference["max"] < 1.0


def test_switched_off_nodes_stay_without_effect(blender: Blender) -> None:
    if blender.version == "5.0":
        pytest.skip("Blender 5.0 has no switch for the compositor's nodes")
    switched_off = blender.report(SCRIPT)["switched_off"]
    assert switched_off["picture"] < ROUNDING
    assert switched_off["lost_links"] == []


def test_second_run_works_on_the_render_not_on_the_first_result(blender: Blender) -> None:
    again = blender.report(SCRIPT)["rendered_again"]
    assert again["same_render"] < ROUNDING
    assert again["render_with_node"] < ROUNDING
    assert again["linear"] < 1e-5
    assert again["settings"] == []
    assert again["muted"] < ROUNDING


def test_result_is_shown_on_its_own_frame_only(blender: Blender) -> None:
    again = blender.report(SCRIPT)["rendered_again"]
    # The scene looks the same on every frame, so that only the node can make a difference.
    assert again["shows_result"] < ROUNDING
    assert again["next_frame"] < ROUNDING
    assert again["first_frame_again"] < ROUNDING
