# SPDX-License-Identifier: GPL-3.0-or-later
"""No double view transform: what comes back looks the same shown, composited and rendered once more."""

from __future__ import annotations

import pytest
from versioned_blender import Blender

pytestmark = pytest.mark.timeout(900)
SCRIPT = "colour_round_trip"
PLAIN = ("Standard", "Filmic", "AgX", "AgX, gamma", "Filmic, exposure", "AgX, look and exposure", "scene linear")
SPACES = {"Standard": "sRGB", "Filmic": "Filmic sRGB", "AgX": "AgX Base sRGB", "AgX, gamma": "AgX Base sRGB"}
# In 8-bit levels. Blender's own inverse of AgX is a table before 5.0, and off by a level in strong colours.
MEAN, P99 = 0.5, 3.0


@pytest.mark.parametrize("way", ["shown", "composited", "rendered"])
@pytest.mark.parametrize("view", PLAIN)
def test_unchanged_result_looks_as_before(blender: Blender, view: str, way: str) -> None:
    difference = blender.report(SCRIPT)[view][way]
    assert difference["mean"] < MEAN
    assert difference["p99"] < P99


@pytest.mark.parametrize("view", SPACES)
def test_image_is_tagged_with_the_inverse_of_its_view(blender: Blender, view: str) -> None:
    report = blender.report(SCRIPT)[view]
    assert report["space"] == SPACES[view]
    if view != "AgX, gamma":  # an image's own view knows no gamma
        assert report["captured_again"]["mean"] < MEAN


def test_untagged_image_would_be_transformed_twice(blender: Blender) -> None:
    """The measure used above does see a double view transform."""
    assert blender.report(SCRIPT)["untagged"]["mean"] > 10 * MEAN
