# SPDX-License-Identifier: GPL-3.0-or-later
"""The built extension installed in real Blenders of several versions, each in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
INSIDE = Path(__file__).resolve().parent / "inside"
VERSIONS = ("4.2", "4.5", "5.0")
RUN_SECONDS = 1200.0
"""An upper limit that only a hang reaches."""


def bpy_python(version: str) -> Path:
    """The Python with the `bpy` wheel of that version, as LIFELIKE_BPY_PYTHONS names it; skips without one."""
    named = os.environ.get("LIFELIKE_BPY_PYTHONS", "")
    pythons = dict(entry.split("=", 1) for entry in named.split(os.pathsep) if "=" in entry)
    if version not in pythons:
        pytest.skip(f"needs the bpy wheel of Blender {version} (LIFELIKE_BPY_PYTHONS; install.py test sets it)")
    return Path(pythons[version])


def build_extension(folder: Path) -> Path:
    """The zip as `install.py build` makes it, or the one that LIFELIKE_EXTENSION_ZIP names."""
    named = os.environ.get("LIFELIKE_EXTENSION_ZIP", "")
    if named:
        return Path(named)
    command = [sys.executable, str(REPOSITORY / "install.py"), "build", "--output", str(folder)]
    subprocess.run(command, check=True, timeout=RUN_SECONDS)
    return next(folder.glob("*.zip"))


def backend_python(folder: Path) -> Path:
    """A Python that runs this checkout's backend whatever environment it is started with."""
    if os.name != "posix":
        return Path(sys.executable)
    python = folder / "python"
    paths = os.pathsep.join(str(REPOSITORY / part) for part in ("shared", "backend"))
    threads = os.environ.get("OMP_NUM_THREADS", "2")
    python.write_text(
        f'#!/bin/sh\nexport PYTHONPATH="{paths}" OMP_NUM_THREADS={threads}\nexec "{sys.executable}" "$@"\n',
        encoding="utf-8",
    )
    python.chmod(0o755)
    return python


@dataclass(frozen=True)
class InstalledBlender:
    """One Blender with the extension installed: a Python with `bpy`, or an executable.

    Attributes: program, and environment: what its processes are started with; is_python: which of the two;
    opens: the file that the executable opens first.
    """

    program: Path
    environment: dict[str, str]
    is_python: bool = True
    opens: Path | None = None

    def start(self, script: str, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        """A process of its own that runs a script of `inside`; its output can be read line by line."""
        return subprocess.Popen(
            self._command(script, arguments),
            env={**self.environment, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str, *arguments: object, **environment: str) -> str:
        """Runs a script of `inside` to its end and returns what it printed; fails when it fails."""
        with self.start(script, *arguments, **environment) as process:
            try:
                output, _ = process.communicate(timeout=RUN_SECONDS)
            finally:
                process.kill()
        assert process.returncode == 0, f"{script} ended with status {process.returncode}:\n{output[-6000:]}"
        return output

    def _command(self, script: str, arguments: tuple[object, ...]) -> list[str]:
        path = str(INSIDE / script)  # a script of the examples is given by its whole path
        if self.is_python:
            return [str(self.program), path, *map(str, arguments)]
        opened = [str(self.opens)] if self.opens else []
        options = [*opened, "--python-exit-code", "3", "--python", path, "--", *map(str, arguments)]
        if "DISPLAY" not in self.environment:
            return [str(self.program), "--background", *options]
        return [str(self.program), "--window-geometry", "0", "0", "1600", "1000", *options]


def install(program: Path, extension: Path, folder: Path, is_python: bool = True) -> InstalledBlender:
    """Installs the zip with Blender's own installer into an empty user folder."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LIFELIKE_", "PYTHON"))}
    inherited.pop("DISPLAY", None)
    (folder / "resources").mkdir()
    (folder / "temporary").mkdir()
    environment = {
        **inherited,
        "BLENDER_USER_RESOURCES": str(folder / "resources"),
        "LIFELIKE_HOME": str(folder / "home"),
        "LIFELIKE_BACKEND_PYTHON": str(backend_python(folder)),
        "LIBGL_ALWAYS_SOFTWARE": "1",
        "TMPDIR": str(folder / "temporary"),
    }
    blender = InstalledBlender(program, environment, is_python)
    blender.run("install_extension.py", extension)
    return blender


def told(output: str) -> dict[str, Any]:
    """What a script of `inside` said with its `tell`, key by key."""
    lines = [line.removeprefix("TOLD ") for line in output.splitlines() if line.startswith("TOLD ")]
    said: dict[str, Any] = {}
    for line in lines:
        said |= json.loads(line)
    return said
