# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in Blender when a process dies, cannot start, or the extension is disabled at a bad moment."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import psutil
import pytest
from extension import VERSIONS, InstalledBlender, bpy_python, install, told

from running_backend import gone_within

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="stops and kills processes with POSIX signals"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def install_in(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], InstalledBlender]:
    """Installs the extension in one version of Blender, once for all tests of this module."""

    @cache
    def install_once(version: str) -> InstalledBlender:
        return install(bpy_python(version), extension, tmp_path_factory.mktemp("blender"))

    return install_once


@pytest.fixture(params=VERSIONS)
def installed_everywhere(
    request: pytest.FixtureRequest, install_in: Callable[[str], InstalledBlender]
) -> InstalledBlender:
    return install_in(request.param)


@pytest.fixture
def installed(install_in: Callable[[str], InstalledBlender]) -> InstalledBlender:
    """One Blender is enough for what has nothing to do with its version."""
    return install_in(VERSIONS[-1])


def _held(installed: InstalledBlender) -> tuple[subprocess.Popen[str], int]:
    """A Blender that runs a backend, and the backend's pid."""
    process = installed.start("hold_backend.py")
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        if "backend" in told(line):
            return process, told(line)["backend"]
    raise AssertionError(f"the backend did not start:\n{said}")


def test_killed_backend_is_reported_and_can_be_started_again(installed: InstalledBlender) -> None:
    said = told(installed.run("backend_dies.py"))
    assert said["job"] == "FAILED"
    assert said["error"] == "backend_gone"
    assert said["what"].startswith("The backend")
    assert said["backend"] == "FAILED"
    assert said["mend"] == "start_backend"
    assert said["again"] == "READY"
    assert "face" in said["answer"]


def test_backend_ends_with_the_blender_that_was_killed_and_no_other(installed: InstalledBlender) -> None:
    first, first_backend = _held(installed)
    second, second_backend = _held(installed)
    try:
        assert first_backend != second_backend
        first.kill()
        first.wait(10)
        assert gone_within(first_backend, 10.0)
        output, _ = second.communicate("still there?\n", timeout=60)
        assert told(output) == {"asked": "still there?", "state": "READY"}
        assert second.returncode == 0
        assert gone_within(second_backend, 10.0)
    finally:
        for process in (first, second):
            process.kill()
            process.wait(10)


def test_disabling_while_a_picture_is_worked_on_leaves_nothing_behind(installed_everywhere: InstalledBlender) -> None:
    said = told(installed_everywhere.run("disable_while_working.py"))
    assert said["cancelled"]
    assert not said["left"]
    assert not psutil.pid_exists(said["backend"])
    assert said["enabled_again"] == "VIEWPORT"


def test_python_without_the_backend_is_named_and_sends_to_the_preferences(installed: InstalledBlender) -> None:
    said = told(installed.run("backend_environment.py", LIFELIKE_BACKEND_PYTHON=str(installed.program)))
    assert said["state"] == "FAILED"
    assert "No module named lifelike" in said["error"]
    assert said["mend"] == "open_preferences"


def test_missing_backend_says_how_to_install_it(installed: InstalledBlender) -> None:
    said = told(installed.run("backend_environment.py", LIFELIKE_BACKEND_PYTHON=""))
    assert said["state"] == "FAILED"
    assert "install.py" in said["error"]
    assert said["mend"] == "open_preferences"


def test_backend_does_not_inherit_python_paths_of_blender(installed: InstalledBlender, tmp_path: Path) -> None:
    # Only the backend imports this one.
    (tmp_path / "typer.py").write_text("raise RuntimeError('a module of somebody else')\n", encoding="utf-8")
    said = told(installed.run("backend_environment.py", PYTHONPATH=str(tmp_path)))
    assert said["state"] == "READY", said
