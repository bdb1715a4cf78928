# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension's zip: put together, judged by Blender's own tool, installed and removed by Blender itself."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from . import wheels
from .blender import Blender
from .places import Places
from .progress import Step, step
from .refusal import Refusal
from .running import Failed, run

_LEFT_OUT = re.compile(r"(^|/)(\.|__pycache__/|wheels/)|\.(pyc|zip|whl)$")
_REPOSITORY = "user_default"
_ID = "lifelike"


def build(places: Places, folder: Path, python: Path | None = None) -> Path:
    """Builds the zip into `folder` and returns it.

    Args:
        python: an interpreter with pip; None: the one that runs this.

    Raises:
        Refusal: a wheel cannot be had.
    """
    python = python or Path(sys.executable)
    with step("Extension zip") as shown:
        return _assemble(places, folder, python, shown)


def _assemble(places: Places, folder: Path, python: Path, shown: Step) -> Path:
    manifest = places.addon / "blender_manifest.toml"
    fetched = wheels.fetch(places, python, shown)
    shown.doing("putting it together")
    own = wheels.build_own(places, places.cache / "wheels")
    contents = {
        name: file.read_bytes()
        for file in sorted(places.addon.rglob("*"))
        if file.is_file() and not _LEFT_OUT.search(name := file.relative_to(places.addon).as_posix())
    }
    contents["LICENSE"] = (places.root / "LICENSE").read_bytes()
    contents |= {f"wheels/{file.name}": file.read_bytes() for file in sorted([*fetched, own])}
    target = folder / f"lifelike-{version(manifest)}.zip"
    wheels.write_zip(target, contents)
    shown.outcome = f"{target.name}, {target.stat().st_size / 1e6:.1f} MB"
    return target


def version(manifest: Path) -> str:
    """The extension's version."""
    found = re.search(r'^version = "([^"]+)"', manifest.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise Refusal(f"{manifest.name} has no version.")
    return found[1]


def validate(places: Places, extension: Path, tool: list[str | Path]) -> None:
    """Has Blender's own tool look at the zip.

    Args:
        tool: Blender's `extension` command, or its script for a Python with `bpy`; see `tool_of`.

    Raises:
        Failed: the tool found something.
    """
    with step("Blender's own check of the zip") as shown:
        run([*tool, "validate", extension], "Blender's check of the extension", places.logs / "validate.log")
        shown.outcome = "passed"


def tool_of(blender: Blender | None, places: Places) -> list[str | Path] | None:
    """The command of Blender's extension tool: of a Blender, else of a `bpy` environment, else None."""
    if blender:
        return [blender.program, "--factory-startup", "--command", "extension"]
    scripts = places.environments.glob("bpy-*/lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli")
    for folder in scripts:
        environment = places.environments / folder.relative_to(places.environments).parts[0]
        return [environment / "bin" / "python", folder / "blender_ext.py"]
    return None


def install(places: Places, blender: Blender, extension: Path) -> None:
    """Installs and enables the zip in a Blender, for this user.

    Raises:
        Failed: Blender refused.
    """
    with step(f"Installing the extension in Blender {blender.version_text}") as shown:
        # Blender takes a wheel of the same name for the same wheel: without this an old one would stay.
        _remove(places, blender)
        arguments: list[str | Path] = [
            "--command",
            "extension",
            "install-file",
            "--repo",
            _REPOSITORY,
            "--enable",
            extension,
        ]
        run([blender.program, *arguments], "Installing the extension", places.logs / "install.log")
        shown.outcome = "installed and enabled"


def uninstall(places: Places, blender: Blender) -> None:
    """Takes the extension out of a Blender; fine if it is not there."""
    with step(f"Removing the extension from Blender {blender.version_text}") as shown:
        shown.outcome = "removed" if _remove(places, blender) else "was not installed"


def _remove(places: Places, blender: Blender) -> bool:
    command: list[str | Path] = [blender.program, "--command", "extension", "remove", f"{_REPOSITORY}.{_ID}"]
    try:
        run(command, "Removing the extension", places.logs / "remove.log")
    except Failed:
        return False
    return True
