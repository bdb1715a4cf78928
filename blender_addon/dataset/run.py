# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes this Blender take shots: one JSON command a line in, one JSON answer a line out.

    blender --background --factory-startup --python run.py -- PROTOCOL
    python run.py -- PROTOCOL          (a Python with the bpy module)

PROTOCOL is the folder of the package lifelike_protocol. Ends when standard input does, even amid a render, so that it
never outlives whoever started it.
"""

from __future__ import annotations

import sys
import types
from pathlib import Path

import bpy  # noqa: F401  first of all: only then do bmesh and mathutils exist

_PACKAGE = "lifelike_in_blender"


def _add_package(name: str, folder: Path) -> None:
    """Makes a folder importable under a name, without running an add-on's registration and without sys.path."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


if __name__ == "__main__":
    _add_package("lifelike_protocol", Path(sys.argv[sys.argv.index("--") + 1]))
    _add_package(_PACKAGE, Path(__file__).resolve().parents[1])
    from lifelike_in_blender.dataset.session import serve

    serve()
