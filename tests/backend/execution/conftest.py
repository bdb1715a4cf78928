# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernels, compiled once for all tests of this folder into a cache of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from lifelike.execution.compiler import find_compiler
from lifelike.execution.kernels.interface import Kernels
from lifelike.execution.library import build, load

COMPILER = find_compiler()


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a library that was compiled here. Nothing may be changed in it."""
    if COMPILER is None:
        pytest.skip("needs a C++ compiler")
    folder = tmp_path_factory.mktemp("cache", numbered=True) / "kernels" / "here"
    assert build(folder) == ""
    return folder


@pytest.fixture(scope="session")
def kernels(built: Path) -> Kernels:
    loaded = load(built)
    assert loaded is not None
    return loaded
