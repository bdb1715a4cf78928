# SPDX-License-Identifier: GPL-3.0-or-later
"""A Blender with windows, and a display for it to draw on."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OLDEST = (4, 2)
SCREEN = "1600x1000x24"


def windowed_blender() -> Path:
    """The Blender that LIFELIKE_TEST_BLENDER names, else the one on the path; skips when there is none that fits."""
    found = os.environ.get("LIFELIKE_TEST_BLENDER") or shutil.which("blender")
    if not found:
        pytest.skip("needs a Blender with windows (LIFELIKE_TEST_BLENDER, or `blender` on the path)")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=120).stdout
    version = re.search(r"Blender (\d+)\.(\d+)", told)
    if version is None or tuple(map(int, version.groups())) < OLDEST:
        pytest.skip(f"needs Blender 4.2 or newer; {found} is {told.splitlines()[0] if told else 'none'}")
    for program in ("xdotool", "import"):
        if not shutil.which(program):
            pytest.skip(f"needs {program} to act and look like a person (Debian: xdotool, imagemagick)")
    return Path(found)


@contextmanager
def virtual_display() -> Iterator[str]:
    """The name of a display of its own (Xvfb); a person's own screen would get in the way of the pointer."""
    if not shutil.which("Xvfb"):
        pytest.skip("needs a virtual display (Debian: xvfb)")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", SCREEN, "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=(writing,), stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as numbers:
            number = numbers.readline().strip()
        if not number:
            pytest.skip("Xvfb did not start")
        yield f":{number}"
    finally:
        server.terminate()
        server.wait(30)
