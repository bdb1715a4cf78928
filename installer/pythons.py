# SPDX-License-Identifier: GPL-3.0-or-later
"""Python interpreters on this machine, and Blender as a Python module for those that fit."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from . import environment
from .backend import pinned, pip
from .places import Places
from .progress import Step, note, several_at_once, step
from .refusal import Refusal
from .running import Failed, answer


@dataclass(frozen=True)
class BpyModule:
    """One `bpy` wheel. version: Blender's; python: the only Python that can import it; numpy: one it was tried with."""

    version: str
    python: tuple[int, int]
    numpy: str

    @property
    def series(self) -> str:
        """As people name it: "4.2"."""
        return self.version.rpartition(".")[0]


TESTED = (
    BpyModule("4.2.23", (3, 11), "2.4.6"),
    BpyModule("4.5.15", (3, 11), "1.26.4"),
    BpyModule("5.0.1", (3, 11), "1.26.4"),
)
FOR_THE_DEMO = (TESTED[1], BpyModule("5.2.3", (3, 13), "2.5.5"))
_GIGABYTES = 1.5
_WITH_IT = ("attrs", "cattrs", "msgpack", "pyzmq")
"""What lifelike_protocol needs, for tests that run parts of the add-on without installing it."""


def find_python(version: tuple[int, int]) -> Path | None:
    """An interpreter of exactly that version which can make virtual environments."""
    name = "{}.{}".format(*version)
    for candidate in _candidates(name):
        told = answer([candidate, "-c", "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])"])
        if told and told.strip() == name:
            return candidate
    return None


def _candidates(name: str) -> Iterator[Path]:
    yield Path(sys.executable)
    on_path = shutil.which(f"python{name}")
    if on_path:
        yield Path(on_path)
    folders = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    folders += [Path.home() / ".local" / "share" / "uv" / "python", Path("/opt/homebrew/bin"), Path("/usr/local/bin")]
    for folder in folders:
        yield from sorted(folder.glob(f"{name}*/bin/python"), reverse=True)
        yield from sorted(folder.glob(f"cpython-{name}*/bin/python{name}"), reverse=True)
        yield from folder.glob(f"python{name}")
    if os.name == "nt":
        told = answer(["py", f"-{name}", "-c", "import sys; print(sys.executable)"])
        if told:
            yield Path(told.strip())


def ensure_bpy(places: Places, module: BpyModule) -> Path | None:
    """The interpreter of an environment with that `bpy`, or None where no Python of its version is found.

    Raises:
        Refusal: the installation fails.
    """
    python = find_python(module.python)
    if python is None:
        return None
    folder = places.environments / f"bpy-{module.series}"
    with step(f"Blender {module.version} as a Python module ({folder.relative_to(places.root)})") as shown:
        wanted = environment.fingerprint(places.constraints, f"{module} {folder} {_WITH_IT}")
        return environment.ensure(folder, python, wanted, lambda new: _fill(new, places, module, shown), shown)


def _fill(python: Path, places: Places, module: BpyModule, shown: Step) -> None:
    environment.require_space(places.root, _GIGABYTES)
    # Not under constraints.txt: a bpy wheel asks for the numpy of its own time.
    packages = [f"bpy=={module.version}", f"numpy=={module.numpy}", *(pinned(places, name) for name in _WITH_IT)]
    pip(python, packages, f"Installing bpy {module.version}", places.logs / f"bpy-{module.series}.log", shown)


def ensure_bpy_for_demo(places: Places) -> Path:
    """The interpreter of an environment with a `bpy` that this machine can have.

    Raises:
        Refusal: there is none; says what to install.
    """
    failure = None
    for module in _with_this_python_first(FOR_THE_DEMO):
        try:
            python = ensure_bpy(places, module)
        except Failed as error:
            if "No matching distribution" not in error.output:
                raise
            failure = error
            continue
        if python:
            return python
    here = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    pythons = " or ".join(sorted({"{}.{}".format(*module.python) for module in FOR_THE_DEMO}))
    raise Refusal(
        f"There is no Blender 4.2 or newer here, and Blender as a Python module fits {pythons}, not {here}: "
        f"install Blender (and pass --blender PATH if it is not found), or Python {pythons}."
    ) from failure


def _with_this_python_first(modules: tuple[BpyModule, ...]) -> list[BpyModule]:
    return sorted(modules, key=lambda module: module.python != sys.version_info[:2])


def bpy_pythons_for_tests(places: Places) -> str:
    """LIFELIKE_BPY_PYTHONS: every tested Blender that this machine can have; says which it cannot."""
    entries = []
    with several_at_once(), ThreadPoolExecutor(len(TESTED)) as pool:
        pythons = list(pool.map(lambda module: ensure_bpy(places, module), TESTED))
    for module, python in zip(TESTED, pythons, strict=True):
        if python:
            entries.append(f"{module.series}={python}")
        else:
            note(
                f"Blender {module.series} is not tested: no Python {module.python[0]}.{module.python[1]} with its venv "
                "module here."
            )
    return os.pathsep.join(entries)
