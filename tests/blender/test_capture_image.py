# SPDX-License-Identifier: GPL-3.0-or-later
"""Image datablocks of every kind as frames, in every Blender."""

from __future__ import annotations

import pytest
from versioned_blender import Blender

pytestmark = pytest.mark.timeout(900)
SCRIPT = "image_scene"


@pytest.mark.parametrize("kind", ["8 bits", "packed", "grey", "sequence", "sequence past its end"])
def test_eight_bit_images_come_as_their_bytes(blender: Blender, kind: str) -> None:
    assert blender.report(SCRIPT)[kind] == {
        "shape": [20, 30, 3],
        "dtype": "uint8",
        "kind": "display",
        "view": "Standard",
        "off": 0.0,
    }


def test_alpha_is_kept(blender: Blender) -> None:
    image = blender.report(SCRIPT)["8 bits, alpha"]
    assert (image["shape"], image["off"]) == ([20, 30, 4], 0.0)


def test_image_tagged_with_a_view_names_it(blender: Blender) -> None:
    image = blender.report(SCRIPT)["8 bits, AgX"]
    assert (image["dtype"], image["view"], image["off"]) == ("uint8", "AgX", 0.0)


@pytest.mark.parametrize(("kind", "view"), [("16 bits", "Standard"), ("16 bits, Filmic", "Filmic")])
def test_sixteen_bit_images_keep_their_precision(blender: Blender, kind: str, view: str) -> None:
    image = blender.report(SCRIPT)[kind]
    assert (image["dtype"], image["kind"], image["view"]) == ("float32", "display", view)
    assert image["off"] < 0.05  # of an 8-bit level


def test_float_image_stays_scene_linear(blender: Blender) -> None:
    image = blender.report(SCRIPT)["float"]
    assert (image["dtype"], image["kind"], image["view"]) == ("float32", "scene_linear", "AgX")
    assert image["off"] == 0.0


def test_missing_file_says_so(blender: Blender) -> None:
    error = blender.report(SCRIPT)["missing"]
    assert error["code"] == "invalid_file"
    assert "gone" in error["what"]
    assert "file path" in error["remedy"]


def test_render_result_and_no_litter(blender: Blender) -> None:
    report = blender.report(SCRIPT)
    assert report["render result"] == [[64, 64, 3], "AgX"]
    assert report["images left"] == ["film001.png"]
