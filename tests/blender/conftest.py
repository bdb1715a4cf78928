# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Blender for the tests: one `bpy` interpreter for each version, run as a separate process.

LIFELIKE_BPY_PYTHONS names them: `4.2=/path/to/python` and so on, separated as PATH is. A script in `scripts/`
runs once for each version and writes what it measured as JSON; the tests judge the numbers.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from extension import VERSIONS, bpy_python, build_extension
from versioned_blender import REPOSITORY, Blender


@pytest.fixture(scope="session")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension's zip, built once for all tests."""
    return build_extension(tmp_path_factory.mktemp("extension"))


@pytest.fixture(scope="session")
def _blenders() -> dict[str, Blender]:
    return {}


@pytest.fixture(params=VERSIONS)
def blender(
    request: pytest.FixtureRequest, _blenders: dict[str, Blender], tmp_path_factory: pytest.TempPathFactory
) -> Blender:
    """Each Blender the tests know, in turn; skips where there is none."""
    version: str = request.param
    python = str(bpy_python(version))
    if version not in _blenders:
        shared = Path(os.environ.get("LIFELIKE_SHARED", REPOSITORY.parent / "shared"))
        _blenders[version] = Blender(version, python, tmp_path_factory.mktemp("blender"), shared)
    return _blenders[version]
