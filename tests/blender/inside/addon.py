# SPDX-License-Identifier: GPL-3.0-or-later
"""For the scripts that run in Blender: the installed extension, and a way to tell the test what happened."""

import json
import time
from collections.abc import Callable
from typing import Any

import bpy

ADDON = "bl_ext.user_default.lifelike"


def enable() -> None:
    """Enables the installed extension: `import bpy` reads no preferences, and reading them crashes Blender 4.2's."""
    import addon_utils  # only there once bpy is

    addon_utils.enable(ADDON, default_set=True)
    assert ADDON in bpy.context.preferences.addons, "the extension is not enabled"


def tell(**said: Any) -> None:
    """A line for the test to read."""
    print("TOLD " + json.dumps(said), flush=True)


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Lets the backend's news in until `condition` holds."""
    from bl_ext.user_default.lifelike.backend import THE_BACKEND

    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        THE_BACKEND.poll(wait=0.05)
