# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Blender renders: an installed one, or a Python with the `bpy` module; and the scripts it runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

import lifelike
import lifelike_protocol
from lifelike_protocol.errors import ErrorCode, LifelikeError

OLDEST = (4, 2)
VARIABLE = "LIFELIKE_BLENDER"
_START_SECONDS = 300.0
# The wheel's version says it without importing a gigabyte; a module built by hand has none.
_ASK = """
try:
    from importlib.metadata import version
    number = version("bpy")
except Exception:
    import bpy
    number = bpy.app.version_string
print("Blender", number)
"""
# Variables that would lead Blender's own Python to this one's packages.
_OTHER_PYTHONS = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
_STEADY_MEMORY = {"MALLOC_ARENA_MAX": "2", "MALLOC_MMAP_THRESHOLD_": "262144"}
"""For the GNU C library: render buffers go back to the system at once. Without it Blender grew by 30 MB a shot."""


@frozen
class Blender:
    """A Blender that runs without windows. version: as it says itself. is_python: it is a Python with `bpy`."""

    program: Path
    version: str
    is_python: bool

    def command(self) -> list[str]:
        """Starts it with the data set's script; commands and answers go over its standard streams."""
        script = scripts_folder() / "dataset" / "run.py"
        protocol = Path(lifelike_protocol.__file__).parent
        if self.is_python:
            # -I: neither the current folder nor the user's packages come first.
            return [str(self.program), "-I", str(script), "--", str(protocol)]
        quiet = ["--background", "--factory-startup", "--disable-autoexec", "--python-exit-code", "3"]
        return [str(self.program), *quiet, "--python", str(script), "--", str(protocol)]


def find_blender(named: Path | None = None) -> Blender:
    """The Blender named, else of LIFELIKE_BLENDER, else on the path, else the installer's.

    Args:
        named: Blender's program, its folder or macOS application, or a Python with `bpy`.

    Raises:
        LifelikeError: NOT_RUNNING where there is none, or the one named is none or too old.
    """
    variable = os.environ.get(VARIABLE)
    chosen = named or (Path(variable) if variable else None)
    if chosen is not None:
        return _named(chosen.expanduser().absolute(), "--blender" if named else VARIABLE)
    for candidate in _usual():
        try:
            found = _look_at(candidate)
        except subprocess.TimeoutExpired:
            continue
        if found is not None and _numbers(found.version) >= OLDEST:
            return found
    raise LifelikeError(
        ErrorCode.NOT_RUNNING,
        "There is no Blender 4.2 or newer here.",
        f"Install Blender, or name it with --blender or {VARIABLE}: its program, or a Python with the bpy module.",
    )


def scripts_folder() -> Path:
    """The add-on's source: beside the package in an installed wheel, or in the checkout.

    Raises:
        LifelikeError: INTERNAL where neither is there.
    """
    package = Path(lifelike.__file__).parent
    for folder in (package / "blender_addon", package.parents[1] / "blender_addon"):
        if (folder / "dataset" / "run.py").is_file():
            return folder
    raise LifelikeError(
        ErrorCode.INTERNAL, "This installation lacks the scripts that run inside Blender.", "Install lifelike again."
    )


def environment() -> dict[str, str]:
    """This process's variables, without those that would lead Blender's Python astray."""
    kept = {name: value for name, value in os.environ.items() if name not in _OTHER_PYTHONS}
    return _STEADY_MEMORY | kept | {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1"}


def _named(path: Path, by: str) -> Blender:
    inside = [path / name for name in ("blender", "blender.exe", "Contents/MacOS/Blender", "bin/python")]
    for candidate in (path, *inside):
        if candidate.is_file():
            try:
                found = _look_at(candidate)
            except subprocess.TimeoutExpired as error:
                what = f"{candidate}, named by {by}, did not tell its version within {_START_SECONDS:.0f} s."
                raise LifelikeError(ErrorCode.TIMEOUT, what, "Try again when the machine is less busy.") from error
            if found is None:
                what = f"{candidate}, named by {by}, is neither Blender nor a Python with the bpy module."
                raise LifelikeError(ErrorCode.NOT_RUNNING, what, "Name Blender's program.")
            if _numbers(found.version) < OLDEST:
                what = f"{candidate} is Blender {found.version}, and Lifelike needs 4.2 or newer."
                raise LifelikeError(ErrorCode.NOT_RUNNING, what, "Name a newer one.")
            return found
    raise LifelikeError(
        ErrorCode.NOT_RUNNING, f"There is no Blender at {path}, named by {by}.", "Name Blender's program."
    )


def _look_at(program: Path) -> Blender | None:
    """What is behind the path, or None. Raises TimeoutExpired."""
    is_python = re.match(r"python|pypy", program.name, re.IGNORECASE) is not None
    command = [str(program), "-I", "-c", _ASK] if is_python else [str(program), "--version"]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_START_SECONDS,
            check=False,
            env=environment(),
        )
    except OSError:
        return None
    found = re.search(r"^Blender (\d+\.\d+[^\s]*)", done.stdout, re.MULTILINE)
    return Blender(program, found[1], is_python) if found and done.returncode == 0 else None


def _usual() -> Iterator[Path]:
    on_path = shutil.which("blender")
    if on_path:
        yield Path(on_path)
    yield from _installed()
    # The installer's environments with Blender as a module (install.py demo, install.py test), the newest first.
    checkout = Path(lifelike.__file__).parents[2]
    inner = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    yield from sorted(checkout.glob(f".envs/bpy-*/{inner}"), key=lambda path: _numbers(path.parts[-3]), reverse=True)


def _installed() -> Iterator[Path]:
    """Where people and their systems put Blender; the installer looks in the same places."""
    home = Path.home()
    if sys.platform == "darwin":
        for folder in (Path("/Applications"), home / "Applications"):
            yield from sorted(folder.glob("Blender*.app/Contents/MacOS/Blender"), reverse=True)
    elif os.name == "nt":
        for variable in ("ProgramFiles", "LOCALAPPDATA"):
            folder = Path(os.environ.get(variable) or "C:/Program Files")
            yield from sorted(folder.glob("Blender Foundation/Blender*/blender.exe"), reverse=True)
    else:
        for folder in (Path("/opt"), Path("/usr/local"), home, home / "Applications", home / ".local" / "share"):
            yield from sorted(folder.glob("[Bb]lender*/blender"), reverse=True)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
