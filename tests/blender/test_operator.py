# SPDX-License-Identifier: GPL-3.0-or-later
"""Make Realistic in real Blenders without windows, from the installed zip, judged by what Blender shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from extension import REPOSITORY, VERSIONS, bpy_python, install, told
from PIL import Image

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module", params=VERSIONS)
def worked(request: pytest.FixtureRequest, extension: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `inside/operator_run.py` told and, under "pictures", what it saw; (H, W, 3) float64 in 8-bit levels."""
    installed = install(bpy_python(request.param), extension, tmp_path_factory.mktemp("blender"))
    folder = tmp_path_factory.mktemp("pictures")
    said = told(installed.run("operator_run.py", folder))
    said["pictures"] = {path.stem: _levels(path) for path in folder.glob("*.png")}
    said["refusals"] = told(installed.run("operator_errors.py"))
    said["installed"] = installed
    return said


def _levels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"), np.float64)


def _inside(worked: dict[str, Any], difference: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = worked["box"]
    return difference[y0:y1, x0:x1]


def _outside(worked: dict[str, Any], difference: np.ndarray) -> np.ndarray:
    x0, y0, x1, y1 = worked["box"]
    elsewhere = np.ones(difference.shape[:2], bool)
    elsewhere[y0:y1, x0:x1] = False
    return difference[elsewhere]


def test_image_changes_the_face_and_nothing_else(worked: dict[str, Any]) -> None:
    difference = np.abs(worked["pictures"]["render_image"] - worked["pictures"]["render_before"])
    assert _inside(worked, difference).mean() > 0.2
    # Through the view transform and its inverse once: a second time would shift every pixel by tens of levels.
    assert _outside(worked, difference).max() <= 2
    assert [name for name, _ in worked["faces"]] == ["Face"]


def test_operator_and_python_give_the_same_pixels(worked: dict[str, Any]) -> None:
    assert worked["same_image"]
    np.testing.assert_array_equal(worked["pictures"]["render_api"], worked["pictures"]["render_image"])


def test_scene_linear_looks_the_same(worked: dict[str, Any]) -> None:
    difference = np.abs(worked["pictures"]["render_linear"] - worked["pictures"]["render_image"])
    assert _outside(worked, difference).max() <= 2
    assert _inside(worked, difference).mean() < 4


def test_strength_zero_changes_nothing(worked: dict[str, Any]) -> None:
    difference = np.abs(worked["pictures"]["render_strength_0"] - worked["pictures"]["render_before"])
    assert difference.max() <= 2


def test_texture_shows_the_result_on_the_object(worked: dict[str, Any]) -> None:
    difference = np.abs(worked["pictures"]["render_texture"] - worked["pictures"]["render_image"])
    assert difference.mean() < 4


def test_compositor_puts_the_result_over_the_next_render(worked: dict[str, Any]) -> None:
    composited, image = worked["pictures"]["render_compositor"], worked["pictures"]["render_image"]
    assert np.abs(composited - image).mean() < 2
    assert _inside(worked, np.abs(composited - worked["pictures"]["render_before"])).mean() > 0.2


def test_viewport_is_worked_on_at_the_cameras_size(worked: dict[str, Any]) -> None:
    assert worked["viewport_size"] == [256, 256]
    before, after = (np.array(worked[name], np.float64)[..., :3] for name in ("viewport_input", "viewport_result"))
    after = after / 255 if after.max() > 1.5 else after
    assert np.abs(before - after).mean() > 0.0002  # the face
    np.testing.assert_allclose(after[0], before[0], atol=1.5 / 255)  # the top edge, above it


def test_face_of_an_image_is_found_and_the_rest_stays_bit_for_bit(worked: dict[str, Any], tmp_path: Path) -> None:
    portraits = sorted((REPOSITORY / "examples").glob("*.png"))
    if not portraits:
        pytest.skip("examples/ ships no portrait")
    after = tmp_path / "after.png"
    said = told(worked["installed"].run("operator_image.py", portraits[0], after))
    before = _levels(portraits[0])
    assert said["faces"] == 1
    assert said["size"] == [before.shape[1], before.shape[0]]
    assert said["space"] == "sRGB"
    changed = (_levels(after) != before).any(axis=2)
    assert 0.02 < changed.mean() < 0.6  # the face, not the picture
    assert not changed[[0, -1]].any()


def test_settings_of_the_scene_stay_as_they_were(worked: dict[str, Any]) -> None:
    changed = [change for change in worked["changed"] if "'Board'" not in change]  # made by the test itself
    assert changed == []


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("no_output", "Choose at least one"),
        ("no_image", "Choose the image"),
        ("no_object", "Choose the object"),
        ("not_a_mesh", "Choose the object"),
        ("no_render", "Render an image"),
        ("no_face", "face"),
        ("no_bundle", "nowhere"),
    ],
)
def test_what_cannot_work_is_refused_in_plain_words(worked: dict[str, Any], case: str, words: str) -> None:
    said = worked["refusals"][case]
    assert words in said
    assert "Traceback" not in said


def test_refusals_leave_nothing_behind(worked: dict[str, Any]) -> None:
    assert worked["refusals"]["left"] == []
