# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension as a package: Blender's own tool accepts it, and every platform gets its wheels."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest
from extension import REPOSITORY, VERSIONS, bpy_python

PLATFORMS = {
    "Linux": ("manylinux", "x86_64"),
    "Windows": ("win", "amd64"),
    "macOS on Apple silicon": ("macosx", "arm64"),
    "macOS on Intel": ("macosx", "x86_64"),
}


@pytest.fixture(scope="module")
def wheels(extension: Path) -> list[str]:
    with zipfile.ZipFile(extension) as package:
        return [Path(name).name for name in package.namelist() if name.endswith(".whl")]


@pytest.mark.parametrize("version", VERSIONS)
def test_blenders_own_tool_accepts_the_package(extension: Path, version: str) -> None:
    python = bpy_python(version)
    place = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    tool = next(Path(place.stdout.strip()).glob("bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))
    done = subprocess.run([python, tool, "validate", extension], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["cp311", "cp313"])
@pytest.mark.parametrize("package", ["pyzmq", "msgpack"])
def test_every_platform_has_a_compiled_wheel(wheels: list[str], package: str, python: str, platform: str) -> None:
    system, machine = PLATFORMS[platform]
    fitting = [
        wheel
        for wheel in wheels
        if wheel.startswith(f"{package}-")
        and (f"-{python}-{python}-" in wheel or (python == "cp313" and "-cp312-abi3-" in wheel))
        and system in wheel
        and (wheel.endswith(f"{machine}.whl") or (system == "macosx" and wheel.endswith("universal2.whl")))
    ]
    # Two that fit would be installed over each other.
    assert len(fitting) == 1, fitting


def test_package_holds_what_the_manifest_lists_and_no_leftovers(extension: Path, wheels: list[str]) -> None:
    manifest = (REPOSITORY / "blender_addon" / "blender_manifest.toml").read_text(encoding="utf-8")
    assert all(wheel in manifest for wheel in wheels)
    assert manifest.count(".whl") == len(wheels)
    with zipfile.ZipFile(extension) as package:
        names = package.namelist()
    assert {"blender_manifest.toml", "__init__.py", "operators/make_realistic.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".zip"))]
