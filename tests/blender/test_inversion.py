# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's inversion settings and the preview, in a real Blender and through the real backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from extension import VERSIONS, bpy_python, install, told

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def said(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What `inside/operator_inversion.py` told."""
    installed = install(bpy_python(VERSIONS[-1]), extension, tmp_path_factory.mktemp("blender"))
    return told(installed.run("operator_inversion.py"))


def test_properties_go_over_the_wire(said: dict[str, Any]) -> None:
    assert said["steps"] == [2, 1]
    assert said["restored"] == [0.25, 0.5, 0.75, 0.0]
    assert said["of_operator"] == 5
    assert said["to_refined"] > 0


def test_untouched_properties_are_the_wire_s_defaults(said: dict[str, Any]) -> None:
    from lifelike_protocol.messages import Inversion, Restoration

    inversion, restoration = Inversion(), Restoration()
    assert said["untouched"] == [inversion.refine, inversion.tune, restoration.iris, restoration.accessories]


def test_preview_is_shown_while_the_inversion_is_refined(said: dict[str, Any]) -> None:
    assert said["before_result"]
    assert 0 < said["error"] < 1
    assert said["shown"] == "Lifelike Scene"
    # Not bit for bit: the backend's networks may have become faster ones in between.
    assert said["to_first_pass"] < 1e-3


def test_a_cancelled_run_leaves_the_result_before_it(said: dict[str, Any]) -> None:
    assert said["taken_back"]
    assert said["gone"]
