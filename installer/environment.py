# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments that are either complete, as their stamp says, or made anew.

The stamp is written last. An environment without one was left by a run that was killed, and may hold half a package;
it is thrown away, which costs little since pip keeps its downloads.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from .lock import locked
from .progress import Step
from .refusal import Refusal
from .running import answer, run

STAMP = "lifelike-installed.json"


def interpreter(folder: Path) -> Path:
    """The Python of the environment in `folder`."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def fingerprint(*parts: Path | str) -> str:
    """A hash that changes with any of the texts and files."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.hexdigest()


def stamped(folder: Path) -> str | None:
    """The fingerprint with which the environment was completed; None where it was not, or no longer runs."""
    try:
        found = json.loads((folder / STAMP).read_text(encoding="utf-8"))["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if answer([interpreter(folder), "-c", "import pip; print('runs')"]) else None


def ensure(
    folder: Path,
    python: Path,
    wanted: str,
    fill: Callable[[Path], None],
    shown: Step,
    as_good: tuple[str, ...] = (),
) -> Path:
    """The interpreter of a complete environment in `folder`.

    Args:
        python: the interpreter that makes it.
        wanted: the fingerprint of what belongs in it; if the stamp says the same, nothing is done.
        as_good: fingerprints of environments that hold all that and more.
        fill: installs everything with the interpreter given to it.

    Raises:
        Refusal: there is no venv module, or `fill` raises it.
    """
    if stamped(folder) in (wanted, *as_good):
        shown.outcome = "up to date"
        return interpreter(folder)
    if folder.exists() and not (folder / "pyvenv.cfg").exists() and any(folder.iterdir()):
        raise Refusal(f"{folder} is in the way, and is no virtual environment: move it elsewhere.")
    shown.doing("waiting for another installation to end")
    with locked(folder):
        shown.doing("removing what is incomplete or out of date")
        remove(folder)
        shown.doing(f"a virtual environment with {python}")
        create(folder, python)
        fill(interpreter(folder))
        stamp = folder / STAMP
        new = stamp.with_suffix(".new")
        new.write_text(json.dumps({"fingerprint": wanted}) + "\n", encoding="utf-8")
        new.replace(stamp)
    return interpreter(folder)


def create(folder: Path, python: Path) -> None:
    """An empty environment with pip.

    Raises:
        Refusal: that Python has no venv or ensurepip module.
    """
    if answer([python, "-c", "import venv, ensurepip; print('there')"]) is None:
        version = (answer([python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) or "3").strip()
        raise Refusal(
            f"{python} lacks Python's venv module: install it (Debian: python{version}-venv) and run this again."
        )
    run([python, "-m", "venv", folder], "Making a virtual environment", folder.with_name(f"{folder.name}.log"))
    folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)


def remove(folder: Path) -> None:
    """Deletes an environment, its stamp first, so that what a kill leaves is never taken for complete."""
    (folder / STAMP).unlink(missing_ok=True)
    if folder.is_symlink():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def require_space(folder: Path, gigabytes: float) -> None:
    """Raises Refusal when less than that is free where `folder` is or will be."""
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    if free < gigabytes:
        raise Refusal(f"This needs {gigabytes:.1f} GB of disk, and only {free:.1f} GB are free in {folder}.")
