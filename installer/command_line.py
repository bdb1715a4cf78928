# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line of install.py."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from . import blender as blenders
from . import extension
from .backend import TRAINING, ensure_backend, tell_device
from .demo import demo
from .environment import remove
from .places import Places, this_checkout
from .progress import note
from .refusal import Refusal
from .running import guarded
from .testing import test
from .torch_build import CPU, CUDA, TorchChoice

sys.path.insert(0, str(this_checkout().root / "shared"))

from lifelike_protocol import locations


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    root = argparse.ArgumentParser(
        prog="install.py",
        description="Sets Lifelike up: its backend here, its extension in Blender. Run again, it does only what is "
        "missing; stopped half-way, the same command carries on.",
    )
    # On the commands, too, so that their place does not matter; only what is given there replaces what stood before.
    general = argparse.ArgumentParser(add_help=False)
    for target, default in ((root, None), (general, argparse.SUPPRESS)):
        _add_general_options(target, default)
    commands = root.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("install", parents=[general], help="backend and extension (what happens without a command)")
    shown = commands.add_parser("demo", parents=[general], help="render the example and make it realistic")
    shown.add_argument("--output", type=Path, metavar="DIR", help="where the results go (default: demo_output)")
    commands.add_parser(
        "test",
        parents=[general],
        allow_abbrev=False,
        help="run style checks, type checks and all tests; what it does not know it hands to pytest",
    )
    built = commands.add_parser("build", parents=[general], help="build the extension's zip")
    built.add_argument("--output", type=Path, metavar="DIR", help="where it goes (default: dist)")
    commands.add_parser("uninstall", parents=[general], help="take away everything that was installed")
    return root


def _add_general_options(target: argparse.ArgumentParser, default: object) -> None:
    target.add_argument("--blender", type=Path, metavar="PATH", default=default, help="the Blender to use")
    builds = target.add_mutually_exclusive_group()
    for build, help_text in ((CPU, "torch for the processor"), (CUDA, "torch for an NVIDIA GPU")):
        builds.add_argument(
            f"--{build}", dest="build", action="store_const", const=build, default=default,
            help=f"{help_text} (default: by looking for an NVIDIA driver)",
        )  # fmt: skip
    target.add_argument(
        "--torch-index",
        metavar="ADDRESS",
        default=default if default is argparse.SUPPRESS else os.environ.get("LIFELIKE_TORCH_INDEX", ""),
        help="an index with the torch build wanted, where pip's own has another (or LIFELIKE_TORCH_INDEX)",
    )
    target.add_argument(
        "--training",
        action="store_true",
        default=default or False,
        help="also what `lifelike dataset`, `train`, `evaluate` and `ablate` need",
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """What the person wants; `for_pytest` is what followed `test` and is no option of ours."""
    reader = parser()
    given, others = reader.parse_known_args(arguments)
    if others and given.command != "test":
        reader.error(f"unrecognized arguments: {' '.join(others)}")
    given.for_pytest = [word for word in others if word != "--"]
    return given


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    given = parse(arguments)
    return guarded(lambda: _dispatch(given, this_checkout()))


def _dispatch(given: argparse.Namespace, places: Places) -> int:
    choice = TorchChoice(given.build or "", given.torch_index)
    if given.command == "build":
        note(str(extension.build(places, (given.output or places.distribution).absolute())))
    elif given.command == "demo":
        demo(places, choice, given.blender, (given.output or places.demo_output).expanduser().absolute())
    elif given.command == "test":
        return test(places, choice, given.blender, given.for_pytest)
    elif given.command == "uninstall":
        uninstall(places, given.blender)
    else:
        install(places, choice, given.blender, TRAINING if given.training else "")
    return 0


def install(places: Places, choice: TorchChoice, program: Path | None, extra: str = "") -> None:
    """The backend here, the extension in the Blender found.

    Raises:
        Refusal: something is missing or failed. Without a Blender it comes last: the rest is in place then.
    """
    blender = blenders.find(program)
    tell_device(choice)
    python = ensure_backend(places, choice, extra)
    record = locations.write_backend_record(python)
    built = extension.build(places, places.distribution, python)
    note(f"The extension: {built}\nThe backend's record: {record}")
    if blender is None:
        raise Refusal(
            "The backend is installed, but there is no Blender 4.2 or newer in the usual places: install it, or pass "
            "--blender PATH; the zip can also be dropped into a Blender window."
        )
    extension.validate(places, built, [blender.program, "--factory-startup", "--command", "extension"])
    extension.install(places, blender, built)
    note("In Blender: the 3D viewport's sidebar (N), tab Lifelike, Make Realistic.")


def uninstall(places: Places, program: Path | None) -> None:
    """Takes away what this installer made: in Blender, in the user's folders, and in this checkout."""
    blender = blenders.find(program)
    if blender:
        extension.uninstall(places, blender)
    for folder in sorted(set(_user_folders())):
        _delete(folder)
    remove(places.backend_environment)
    for folder in (places.environments, places.cache, places.distribution):
        _delete(folder)
    note("Lifelike is uninstalled. This checkout and the demo's pictures are left.")


def _user_folders() -> list[Path]:
    """Only folders of our own: a connection file or LIFELIKE_HOME may have been put among other things."""
    return [locations.config_dir(), locations.cache_dir(), locations.runtime_dir(), locations.log_file().parent]


def _delete(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
        note(f"Deleted {folder}")
