# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's packages under the name `lifelike_addon`, without registering it, and the report of a script."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path
from typing import Any

import bpy  # noqa: F401  first of all: only then do bmesh and mathutils exist

_package = types.ModuleType("lifelike_addon")
_package.__path__ = [str(Path(__file__).resolve().parents[3] / "blender_addon")]
sys.modules["lifelike_addon"] = _package


def write_report(report: dict[str, Any]) -> None:
    """Writes what a script measured to the file that the tests read; the last thing a script does."""
    target = Path(sys.argv[1])
    waiting = target.with_suffix(".part")
    waiting.write_text(json.dumps(report), encoding="utf-8")
    waiting.replace(target)
