# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as a process of its own: find its Python, start it, see whether it lives, stop it.

No bpy here. Nothing in this module waits longer than the seconds it is given.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from lifelike_protocol import locations
from lifelike_protocol.errors import ErrorCode, LifelikeError

_BLENDERS_OWN = frozenset({"PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__"})
"""Variables that would make another Python look for its modules inside Blender."""


@dataclass(frozen=True)
class BackendOptions:
    """How to start the backend.

    python: the interpreter, or the folder of a virtual environment; empty: look for it.
    device: "auto", "cpu" or "cuda". start_timeout: seconds until a start counts as failed.
    """

    python: str = ""
    device: str = "auto"
    start_timeout: float = 180.0


class BackendNotFoundError(LifelikeError):
    """No Python that could run the backend is known; the preferences are where to say which."""


def find_python(preferred: str = "") -> Path:
    """The backend's interpreter: `preferred`, else LIFELIKE_BACKEND_PYTHON, else what the installer wrote down.

    Raises:
        BackendNotFoundError: none of them is named, or the one named does not exist.
    """
    if preferred.strip():
        return _interpreter(Path(preferred.strip()).expanduser(), "The preferences name")
    known = locations.backend_python()
    if known is not None:
        return _interpreter(known, "The installation names")
    raise BackendNotFoundError(
        ErrorCode.NOT_RUNNING,
        "The Lifelike backend is not installed, or this Blender does not know where.",
        "Run `python3 install.py` once, or set the backend's location in the preferences.",
    )


def _interpreter(path: Path, where: str) -> Path:
    """`path` itself, or the interpreter inside it when it is an environment's folder (or its parent's)."""
    candidates = [path]
    for folder in (path, path / ".venv"):
        candidates += [folder / "bin" / "python", folder / "Scripts" / "python.exe", folder / "python.exe"]
    for candidate in candidates:
        if candidate.is_file():
            # Not resolved: a virtual environment's python is a link, and is found through the link's own folder.
            return candidate.absolute()
    raise BackendNotFoundError(
        ErrorCode.NOT_RUNNING,
        f"{where} {path} as the backend's Python, but there is none.",
        "Correct the backend's location in the preferences, or leave it empty and run `python3 install.py` again.",
    )


class BackendProcess:
    """One backend, started by this Blender and ending with it.

    Attributes: connection_file, log_file (Paths), process (Popen).
    """

    def __init__(self, options: BackendOptions) -> None:
        """Starts it. Returns at once; the connection file appears when it is ready.

        Raises:
            LifelikeError: no interpreter is known, or the system refuses to run it.
        """
        python = find_python(options.python)
        runtime = locations.runtime_dir()
        runtime.mkdir(parents=True, exist_ok=True, mode=0o700)
        # One file per Blender, so that two of them never fight over one backend.
        self.connection_file = runtime / f"blender-{os.getpid()}-{time.monotonic_ns():x}.json"
        self.log_file = locations.log_file()
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        # What is said before the log is open (a missing module, a broken environment) would be lost otherwise.
        self._output = self.connection_file.with_suffix(".output")
        command = [str(python), "-m", "lifelike", "serve"]
        command += ["--connection-file", str(self.connection_file), "--parent-pid", str(os.getpid())]
        command += ["--device", options.device, "--log-file", str(self.log_file)]
        try:
            with self._output.open("wb") as output:
                self.process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=_clean_environment(),
                    cwd=runtime,  # `-m` looks for modules in the current folder first
                    start_new_session=os.name == "posix",
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            raise BackendNotFoundError(
                ErrorCode.NOT_RUNNING,
                f"The backend could not be started with {python}: {error.strerror or error}.",
                "Correct the backend's location in the preferences.",
            ) from error

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether the connection file is there."""
        return self.connection_file.is_file()

    def why_it_ended(self) -> str:
        """One line: the exit status, and the last thing the backend said."""
        code = self.process.poll()
        if code is None:
            return "it still runs"
        ending = f"it was ended by signal {-code}" if code < 0 else f"exit status {code}"
        said = self.last_words()
        return f"{ending}; it said “{said}”" if said else ending

    def last_words(self) -> str:
        """The last line that it printed, else the last of its log if it tells of a failure; may be empty."""
        # Frames that are drawn around errors in a terminal say nothing, nor does the line of a good start.
        printed = [line.strip(" ╭╮╰╯─│\t") for line in _tail(self._output).splitlines()]
        printed = [line for line in printed if line and not line.startswith("ready")]
        logged = [line for line in _tail(self.log_file).splitlines()[-1:] if " ERROR " in line or " CRITICAL " in line]
        lines = printed or logged
        return lines[-1][:300].rstrip(".") if lines else ""

    def end(self, timeout: float = 3.0) -> None:
        """Ends the process: politely, and after `timeout` seconds by force. Removes what it left."""
        if self.alive:
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.wait(timeout)
        for left_over in (self.connection_file, self._output):
            with contextlib.suppress(OSError):
                left_over.unlink(missing_ok=True)


def _clean_environment() -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name not in _BLENDERS_OWN}
    environment["PYTHONUNBUFFERED"] = "1"
    if sys.platform == "win32":
        environment["PYTHONUTF8"] = "1"
    return environment


def _tail(path: Path, size: int = 4096) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - size))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""
