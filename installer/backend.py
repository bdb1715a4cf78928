# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend's environment: torch, the dependencies in their known versions, and this checkout itself."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from . import environment
from .places import Places
from .progress import Step, note, step
from .refusal import Refusal
from .running import run
from .torch_build import CUDA, TorchChoice, build_found, judge

TRAINING = "train"
DEVELOPMENT = "train,dev"
_MORE = {"": (TRAINING, DEVELOPMENT), TRAINING: (DEVELOPMENT,), DEVELOPMENT: ()}
"""The groups that hold all that a group holds, and more."""
_NEWEST = (3, 14)
"""The first Python that the pinned versions have no wheels for."""
_GIGABYTES = 3.0
_GIGABYTES_OF_CUDA = 12.0


def ensure_backend(places: Places, choice: TorchChoice, extra: str = "") -> Path:
    """The interpreter of the complete environment in `.venv`.

    Args:
        extra: TRAINING or DEVELOPMENT, groups of dependencies of pyproject.toml to install as well; "" for neither.

    Raises:
        Refusal: this Python cannot have it, or an installation fails.
    """
    if sys.version_info >= _NEWEST:
        raise Refusal(
            f"torch and others have no wheels for Python {sys.version_info.major}.{sys.version_info.minor} in the "
            f"versions that Lifelike is known to work with: run this with Python 3.10 to 3.{_NEWEST[1] - 1}."
        )
    with step("Backend environment (.venv)") as shown:
        return environment.ensure(
            places.backend_environment,
            Path(sys.executable),
            _fingerprint(places, choice, extra),
            lambda python: _fill(python, places, choice, extra, shown),
            shown,
            as_good=tuple(_fingerprint(places, choice, more) for more in _MORE[extra]),
        )


def _fingerprint(places: Places, choice: TorchChoice, extra: str) -> str:
    # The folder is part of it: scripts in the environment and the link to this checkout name it in full.
    # Of pyproject.toml only what is installed counts, not the settings of tools that follow.
    project = (places.root / "pyproject.toml").read_text(encoding="utf-8").partition("[tool.ruff]")[0]
    return environment.fingerprint(
        places.constraints,
        project,
        f"{places.root} {sys.version_info[:2]} {choice.wanted} {choice.index} {extra}",
    )


def _fill(python: Path, places: Places, choice: TorchChoice, extra: str, shown: Step) -> None:
    environment.require_space(places.root, _GIGABYTES)
    torch = pinned(places, "torch")
    shown.doing("looking for torch")
    places.logs.mkdir(parents=True, exist_ok=True)
    found = build_found(python, torch, choice, places.logs)
    if found == CUDA:
        environment.require_space(places.root, _GIGABYTES_OF_CUDA)
    warning = judge(found, choice)
    if warning:
        shown.line(warning)
    if choice.index:
        pip(python, [*choice.pip_options, torch], "Installing torch", places.logs / "torch.log", shown)
    project = f"{places.root}[{extra}]" if extra else str(places.root)
    packages: list[str | Path] = ["--constraint", places.constraints, torch, "--editable", project]
    pip(python, packages, "Installing the backend", places.logs / "backend.log", shown)


def pip(python: Path, arguments: Sequence[str | Path], what: str, log: Path, shown: Step) -> None:
    """`pip install`, with the step's line showing what it is at."""

    def on_line(line: str) -> None:
        words = line.split()
        if words[:1] in (["Collecting"], ["Downloading"], ["Processing"], ["Installing"], ["Building"]):
            shown.doing(" ".join(Path(word).name if "/" in word else word for word in words[:2]))

    options = ["--no-input", "--progress-bar", "off", "--prefer-binary"]
    run([python, "-m", "pip", "install", *options, *arguments], what, log, on_line)


def pinned(places: Places, name: str) -> str:
    """The requirement of constraints.txt for a package, without its marker."""
    pattern = rf"^{re.escape(name)}==[^\s;#]+"
    found = re.search(pattern, places.constraints.read_text(encoding="utf-8"), re.MULTILINE | re.IGNORECASE)
    if not found:
        raise Refusal(f"constraints.txt pins no {name}: the checkout is incomplete.")
    return found[0]


def tell_device(choice: TorchChoice) -> None:
    """Says which torch build is wanted, and why."""
    why = "as asked" if choice.build else "an NVIDIA driver was found" if choice.wanted == CUDA else "no NVIDIA driver"
    note(f"torch: {choice.wanted.upper()} build ({why})")
