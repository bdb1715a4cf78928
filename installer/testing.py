# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything the tests need, then style, types and tests. Never as root, unless the person is."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from . import blender as blenders
from . import extension, pythons
from .backend import DEVELOPMENT, ensure_backend
from .places import Places
from .progress import note
from .refusal import Refusal
from .running import clean_environment
from .torch_build import TorchChoice


def test(places: Places, choice: TorchChoice, program: Path | None, arguments: Sequence[str]) -> int:
    """Runs ruff, mypy and pytest; returns 0 when all passed.

    Args:
        program: a Blender with windows; None: LIFELIKE_TEST_BLENDER, else the one found.
        arguments: handed to pytest; with any, ruff and mypy are left out.

    Raises:
        Refusal: the set-up failed.
    """
    python = ensure_backend(places, choice, DEVELOPMENT)
    bpy_pythons = pythons.bpy_pythons_for_tests(places)
    blender = windowed_blender(program)
    built = extension.build(places, places.distribution, python)
    tool = extension.tool_of(blender, places)
    if tool:
        extension.validate(places, built, tool)
    environment = {
        "LIFELIKE_BPY_PYTHONS": bpy_pythons,
        "LIFELIKE_TEST_BLENDER": str(blender.program) if blender else "",
        "LIFELIKE_EXTENSION_ZIP": str(built),
    }
    checks = [] if arguments else [["ruff", "check", "."], ["ruff", "format", "--check", "."], ["mypy"]]
    failed = [check[0] for check in checks if _run(python, check, places, environment)]
    if _run(python, ["pytest", *arguments], places, environment):
        failed.append("pytest")
    if failed:
        note(f"Failed: {', '.join(failed)}")
    return 1 if failed else 0


def windowed_blender(program: Path | None) -> blenders.Blender | None:
    """The Blender for the tests of the interface; says so when there is none."""
    named = os.environ.get("LIFELIKE_TEST_BLENDER", "")
    blender = blenders.find(program or (Path(named) if named else None))
    if blender:
        note(f"Blender with windows: {blender.version_text}, {blender.program}")
    else:
        note("No Blender 4.2 or newer is found: the tests of its windows are skipped.")
    return blender


def _run(python: Path, command: list[str], places: Places, environment: dict[str, str]) -> int:
    """The status of a tool of the environment, whose output goes straight to the person."""
    note(f"\n$ {' '.join(command)}")
    try:
        done = subprocess.run(
            [python, "-m", *command], cwd=places.root, env=clean_environment(environment), check=False
        )
    except OSError as error:
        raise Refusal(f"{python} cannot be run ({error.strerror}): remove .venv and run this again.") from error
    return done.returncode
