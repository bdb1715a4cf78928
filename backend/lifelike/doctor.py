# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at everything Lifelike needs on this machine and says what to do about what is missing."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from enum import Enum
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from attrs import frozen
from packaging.requirements import Requirement

from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.locations import config_dir, default_connection_file, log_file

OLDEST_PYTHON = (3, 10)
OLDEST_BLENDER = (4, 2)
LEAST_FREE_BYTES = 500_000_000
BLENDER_SECONDS = 30.0
CONNECT_SECONDS = 5.0

REINSTALL = "Run install.py again."


class State(Enum):
    """How a check went."""

    OK = "ok"
    MISSING = "missing"
    OPTIONAL = "optional"
    """Not there, and everything but one thing works without it."""


@frozen
class Check:
    """One line of the report. `found`: what is there. `remedy`: what to do, empty when all is well."""

    name: str
    state: State
    found: str
    remedy: str = ""


def examine() -> Iterator[Check]:
    """Every check in turn; a check that itself fails unexpectedly is reported as missing."""
    checks: tuple[Callable[[], Check], ...] = (
        python, packages, torch_and_device, compiled_kernels, precision, builtin_bundle, face_alignment, log_folder,
        connection_folder, settings_folder, free_space, running_backend, blender,
    )  # fmt: skip
    for check in checks:
        try:
            yield check()
        except Exception as error:
            name = check.__name__.replace("_", " ")
            yield Check(name, State.MISSING, f"{type(error).__name__}: {error}", REINSTALL)


def python() -> Check:
    """The interpreter's version."""
    found = f"{platform.python_version()} ({sys.executable})"
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", State.MISSING, found, "Install Python 3.10 or newer and run install.py with it.")
    return Check("Python", State.OK, found)


def packages() -> Check:
    """The packages the distribution asks for, with their versions."""
    try:
        wanted = [Requirement(line) for line in requires("lifelike") or ()]
    except PackageNotFoundError:
        return Check("packages", State.MISSING, "Lifelike runs from its sources without being installed", REINSTALL)
    wrong = [problem for problem in map(_package_problem, wanted) if problem]
    if wrong:
        return Check("packages", State.MISSING, "; ".join(wrong), REINSTALL)
    return Check("packages", State.OK, f"lifelike {version('lifelike')} and all it needs")


def _package_problem(wanted: Requirement) -> str:
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = version(wanted.name)
    except PackageNotFoundError:
        return f"{wanted.name} is missing"
    if not wanted.specifier.contains(found, prereleases=True):
        return f"{wanted.name} {found} is not {wanted.specifier}"
    return ""


def torch_and_device() -> Check:
    """torch, and the device it would work on."""
    try:
        import torch

        from lifelike.devices import choose_device
    except ImportError as error:
        return Check("torch", State.MISSING, str(error), REINSTALL)
    device = choose_device("auto")
    name = torch.cuda.get_device_name() if device == "cuda" else f"CPU threads: {torch.get_num_threads()}"
    if device == "cpu" and shutil.which("nvidia-smi"):
        remedy = "To use the NVIDIA GPU, install torch's CUDA build with: install.py --cuda"
        return Check("torch", State.OPTIONAL, f"{torch.__version__}, on cpu, {name}", remedy)
    return Check("torch", State.OK, f"{torch.__version__}, on {device}, {name}")


def compiled_kernels() -> Check:
    """What the networks run fast by on a CPU: kernels that a C++ compiler makes once."""
    from lifelike.execution.compiler import find_compiler
    from lifelike.execution.library import SWITCH, library_folder, read_entry

    name, compiler = "compiled kernels", find_compiler()
    if os.environ.get(SWITCH) == "0":
        return Check(name, State.OPTIONAL, f"switched off by {SWITCH}=0", f"Unset {SWITCH}.")
    entry = read_entry(library_folder())
    if entry.library is not None:
        return Check(name, State.OK, str(entry.library.parent))
    if compiler is None:
        remedy = "For pictures in less than half the time, install g++ or clang++ (or name one in CXX)."
        return Check(name, State.OPTIONAL, "there is no C++ compiler; the networks run uncompiled", remedy)
    if entry.failed or entry.foreign:
        remedy = f"Remove {library_folder()} to have it tried again."
        return Check(name, State.OPTIONAL, f"{entry.why}; the networks run uncompiled", remedy)
    return Check(name, State.OK, f"{entry.why}; {compiler} compiles them when the first picture is made")


def precision() -> Check:
    """What the networks multiply."""
    from lifelike.devices import choose_device
    from lifelike.execution.library import library_folder, load
    from lifelike.execution.precision import Precision
    from lifelike.execution.probe import bf16_gain, choose_precision

    device = choose_device("auto")
    kernels = load(library_folder())
    chosen = choose_precision(Precision.AUTO, device, kernels).value
    if device != "cpu":
        return Check("precision", State.OK, chosen)
    return Check("precision", State.OK, f"{chosen}; bf16 is {bf16_gain(kernels):.1f} times as fast as fp32 here")


def builtin_bundle() -> Check:
    """The bundle that ships with the package: it loads and its hash is right."""
    from lifelike.bundles import load_bundle

    try:
        bundle = load_bundle("builtin", "cpu")
    except LifelikeError as error:
        return Check("built-in bundle", State.MISSING, error.what, error.remedy or REINSTALL)
    return Check(
        "built-in bundle", State.OK, f"{bundle.card.name}, {bundle.card.resolution} px, SHA-256 {bundle.sha256[:12]}"
    )


def face_alignment() -> Check:
    """The package that finds faces in pictures that come without landmarks, and its weights."""
    from lifelike.faces.pretrained_landmarks import weights_folder, weights_present

    name = "face-alignment"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, State.OPTIONAL, "not installed; the bundle finds faces itself", REINSTALL)
    if not weights_present():
        remedy = "To let it download them on first use, set LIFELIKE_ALLOW_DOWNLOADS=1."
        return Check(name, State.OPTIONAL, f"{found}, without weights; the bundle finds faces itself", remedy)
    return Check(name, State.OK, f"{found}, weights in {weights_folder()}")


def log_folder() -> Check:
    """Where the backend's log goes."""
    return _writable("log", log_file().parent)


def connection_folder() -> Check:
    """Where the connection file goes."""
    return _writable("connection file", default_connection_file().parent)


def settings_folder() -> Check:
    """Where the installer notes where the backend is."""
    return _writable("settings", config_dir())


def _writable(name: str, folder: Path) -> Check:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"lifelike")
            file.flush()
    except OSError as error:
        return Check(name, State.MISSING, f"{folder}: {error.strerror}", f"Make {folder} a folder you can write to.")
    return Check(name, State.OK, str(folder))


def free_space() -> Check:
    """Room for logs, bundles and temporary files."""
    folder = config_dir()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < LEAST_FREE_BYTES:
        return Check("disk", State.MISSING, found, "Free at least 0.5 GB.")
    return Check("disk", State.OK, found)


def running_backend() -> Check:
    """Whether a backend runs and answers. None running is well: Blender starts one."""
    try:
        with Client.connect(timeout=CONNECT_SECONDS, name="lifelike doctor") as client:
            status = client.status(timeout=CONNECT_SECONDS)
    except LifelikeError as error:
        if error.code is ErrorCode.NOT_RUNNING:
            return Check("backend", State.OK, "not running; Blender starts it")
        return Check("backend", State.MISSING, error.what, error.remedy)
    return Check("backend", State.OK, f"running, process {status.pid}, on {status.device}")


def blender() -> Check:
    """A Blender new enough for the extension."""
    candidate = _find_blender()
    wanted = f"Install Blender {OLDEST_BLENDER[0]}.{OLDEST_BLENDER[1]} or newer, or name one in LIFELIKE_BLENDER."
    if candidate is None:
        return Check("Blender", State.OPTIONAL, "not found; the command line works without it", wanted)
    number = _blender_version(candidate)
    if number is None:
        return Check("Blender", State.OPTIONAL, f"{candidate} does not run", wanted)
    found = f"{number[0]}.{number[1]} ({candidate})"
    return (
        Check("Blender", State.OK, found)
        if number >= OLDEST_BLENDER
        else Check("Blender", State.OPTIONAL, f"{found} is too old", wanted)
    )


def _find_blender() -> Path | None:
    """LIFELIKE_BLENDER, else the one on PATH, else the newest in the usual places."""
    named = os.environ.get("LIFELIKE_BLENDER") or shutil.which("blender")
    if named:
        return Path(named)
    places = {
        "win32": (os.environ.get("PROGRAMFILES", "C:/Program Files"), "Blender Foundation/Blender */blender.exe"),
        "darwin": ("/Applications", "Blender*.app/Contents/MacOS/Blender"),
    }
    folder, pattern = places.get(sys.platform, ("/opt", "blender*/blender"))
    found = sorted(Path(folder).glob(pattern))
    return found[-1] if found else None


def _blender_version(executable: Path) -> tuple[int, int] | None:
    try:
        answer = subprocess.run(
            [executable, "--version"], capture_output=True, text=True, timeout=BLENDER_SECONDS, check=True
        )
        major, minor = answer.stdout.split()[1].split(".")[:2]
        return int(major), int(minor)
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
