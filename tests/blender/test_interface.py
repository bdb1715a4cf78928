# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels and operators in a real Blender with windows, used with the pointer and the keyboard.

LIFELIKE_SCREENSHOTS names a folder that keeps the screenshots (docs/images shows them); by default they are dropped.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from display import virtual_display, windowed_blender
from extension import REPOSITORY, RUN_SECONDS, install, told

from running_backend import gone_within

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="needs an X display"),
    pytest.mark.timeout(1800),
]
SHOTS = (
    *(
        "panel_stopped",
        "panel_inversion",
        "panel_working",
        "panel_result",
        "panel_failed",
        "panel_image_editor",
        "panel_render",
    ),
    *("interface", "preferences"),
)


@pytest.fixture(scope="module")
def played(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `inside/interface.py` told, its exit status, and the folder of its screenshots."""
    blender = windowed_blender()
    installed = install(blender, extension, tmp_path_factory.mktemp("windowed"), is_python=False)
    shots = tmp_path_factory.mktemp("shots")
    portrait = shots / "portrait.blend"
    installed.run(str(REPOSITORY / "examples" / "avatar.py"), "--size", 384, "--samples", 16, "--save", portrait)
    with virtual_display() as display:
        seen = replace(installed, environment={**installed.environment, "DISPLAY": display}, opens=portrait)
        process = seen.start("interface.py", shots)
        try:
            output, _ = process.communicate(timeout=RUN_SECONDS)
        finally:
            process.kill()
    said = told(output)
    assert said.get("played"), f"the interface was not played to its end:\n{output[-6000:]}"
    kept = os.environ.get("LIFELIKE_SCREENSHOTS", "")
    if kept:
        for shot in shots.glob("*.png"):
            shutil.copy(shot, Path(kept) / shot.name)
    return {**said, "status": process.returncode, "shots": shots}


def test_button_starts_the_backend_and_shows_progress_without_blocking(played: dict[str, Any]) -> None:
    assert played["states"] == ["STARTING", "WORKING"]
    assert len(played["fractions"]) > 1
    assert played["fractions"] == sorted(played["fractions"])
    assert played["turns"] > 10  # Blender went on drawing and running timers all the while


def test_result_is_delivered_and_shown(played: dict[str, Any]) -> None:
    assert played["failure"] == ""
    assert played["faces"] == ["Head"]
    assert played["size"] == [384, 384]
    assert played["shown"] == played["image"] == "Lifelike Scene"


def test_result_can_be_undone_and_redone(played: dict[str, Any]) -> None:
    assert not played["after_undo"]
    assert played["after_redo"]


def test_escape_cancels_in_the_interface_and_in_the_backend(played: dict[str, Any]) -> None:
    assert played["after_escape"] == ["CANCELLED", "READY"]
    assert played["backend_works_on"] == ""


def test_killed_backend_shows_its_button_and_starts_again(played: dict[str, Any]) -> None:
    assert played["after_death"] == "FAILED"
    assert played["mend"] == "start_backend"
    assert played["after_restart"] == "READY"


def test_preferences_open(played: dict[str, Any]) -> None:
    assert played["windows"] == 2


def test_quitting_at_work_ends_cleanly_and_takes_the_backend_along(played: dict[str, Any]) -> None:
    assert played["quits_while"] == "WORKING"
    assert played["status"] == 0
    assert gone_within(played["backend"], 10.0)


def test_inversion_opens_and_closes_at_a_click(played: dict[str, Any]) -> None:
    from PIL import Image, ImageChops

    closed, opened, again = (
        Image.open(played["shots"] / f"{name}.png").convert("L").crop((0, 210, 260, 400))
        for name in ("panel_stopped", "panel_inversion", "panel_closed")
    )
    differences = [ImageChops.difference(closed, other).point(lambda v: v > 20 and 255) for other in (opened, again)]
    changed, back = (sum(one.histogram()[255:]) for one in differences)
    assert changed > 2000
    assert back < changed / 10


@pytest.mark.parametrize("name", SHOTS)
def test_screenshot_shows_something(played: dict[str, Any], name: str) -> None:
    from PIL import Image

    with Image.open(played["shots"] / f"{name}.png") as shot:
        assert min(shot.size) > 100
        assert len(shot.convert("RGB").getcolors(maxcolors=1 << 24) or ()) > 50
