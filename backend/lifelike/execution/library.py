# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled library of kernels: made once on this machine, in the background, and kept in the user's cache.

Compiled code is code. A library is loaded only from folders and files that belong to this user and that nobody else
may write to, and only when it is, byte for byte, the one that was made and tried out here. Any other is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
import shutil
import stat
import sys
import tempfile
import threading
import time
from pathlib import Path

from attrs import frozen

from lifelike.execution.compiler import FLAGS, compile_sources, find_compiler, machine_flags, run_quietly
from lifelike.execution.kernels.interface import SOURCES, Kernels
from lifelike_protocol.locations import cache_dir

SWITCH = "LIFELIKE_COMPILE"
"""The environment variable that, set to 0, keeps everything uncompiled."""

TRIAL = Path(__file__).parent / "kernels" / "trial.py"
LIBRARY, RECORD = "kernels.bin", "record.json"
UNFINISHED, FORGOTTEN_SECONDS = ".new-", 3600.0
LARGEST = 64 << 20
"""Bytes; a library has a hundredth of that."""

log = logging.getLogger(__name__)


@frozen
class Entry:
    """What the cache holds for this machine.

    library: None where `why` tells, in one line, why there is none.
    failed: the compiler that could not make it. foreign: whether somebody else's files are in the way.
    """

    library: Path | None
    why: str = ""
    failed: str = ""
    foreign: bool = False


def library_folder() -> Path:
    """The cache's folder for these sources, this processor and these flags; there need not be one."""
    digest = hashlib.sha256()
    for source in SOURCES:
        digest.update(source.read_bytes())
    digest.update(repr((FLAGS, machine_flags(), sys.platform, platform.machine(), processor())).encode())
    return cache_dir() / "kernels" / digest.hexdigest()[:24]


def processor() -> str:
    """What tells this processor's instructions from another's."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(wanted)}))


def read_entry(folder: Path) -> Entry:
    """The library in `folder`, where it can be trusted."""
    library, record = folder / LIBRARY, folder / RECORD
    try:
        for path in (folder.parent, folder, record):
            if not is_private(path):
                return _foreign(path)
        note = json.loads(record.read_text("utf-8"))
        if note["failed"]:
            return Entry(None, str(note["failed"]), str(note["compiler"]))
        if not is_private(library):
            return _foreign(library)
        if library.stat().st_size <= LARGEST and hashlib.sha256(library.read_bytes()).hexdigest() == note["sha256"]:
            return Entry(library)
    except FileNotFoundError:
        return Entry(None, "nothing is compiled yet")
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return Entry(None, "the cached library is damaged and will be made anew")


def _foreign(path: Path) -> Entry:
    return Entry(None, f"{path} belongs to somebody else or can be written by others", foreign=True)


def is_private(path: Path) -> bool:
    """Whether a file or folder, and no link, belongs to this user and can be written by nobody else.

    Windows keeps others out of a user's folders itself.
    """
    state = path.lstat()
    if stat.S_ISLNK(state.st_mode):
        return False
    return sys.platform == "win32" or (state.st_uid == os.getuid() and not state.st_mode & 0o022)


def build(folder: Path) -> str:
    """Compile the library and try it out in a process of its own; what is kept is whole.

    Returns:
        "", or in one line why there is no library.
    """
    compiler = find_compiler()
    if compiler is None:
        return "there is no C++ compiler"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sweep(folder.parent)
        with tempfile.TemporaryDirectory(prefix=UNFINISHED, dir=folder.parent) as place:  # private to this user
            made = Path(place) / "made"
            made.mkdir(mode=0o700)
            failed = _make(compiler, made)
            _replace(folder, made)
    except OSError as error:
        return f"the cache cannot be written ({error})"
    return failed


def _sweep(folder: Path) -> None:
    """Remove what processes left that were ended while they compiled."""
    for left in folder.glob(f"{UNFINISHED}*"):
        if time.time() - left.lstat().st_mtime > FORGOTTEN_SECONDS:
            shutil.rmtree(left, ignore_errors=True)


def _make(compiler: Path, folder: Path) -> str:
    """Library and record in a new folder; "" or, in one line, why there is only a record."""
    library = folder / LIBRARY
    failed = compile_sources(compiler, [source for source in SOURCES if source.suffix == ".cpp"], library)
    failed = failed or run_quietly([sys.executable, "-I", str(TRIAL), str(library)])
    digest = ""
    if failed:
        library.unlink(missing_ok=True)
    else:
        library.chmod(0o600)
        digest = hashlib.sha256(library.read_bytes()).hexdigest()
    note = {"failed": failed, "sha256": digest, "compiler": str(compiler)}
    (folder / RECORD).write_text(json.dumps(note, indent=1), encoding="utf-8")
    (folder / RECORD).chmod(0o600)
    return failed


def _replace(folder: Path, made: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)
    made.replace(folder)


def load(folder: Path) -> Kernels | None:
    """The library of a folder that can be trusted."""
    entry = read_entry(folder)
    if entry.library is None:
        return None
    try:
        return Kernels(entry.library)
    except (OSError, AttributeError) as error:
        log.warning("the compiled kernels cannot be loaded: %s", error)
        return None


class Library:
    """The kernels of this process: there at once where the cache has them, else as soon as they are compiled."""

    def __init__(self) -> None:
        self._kernels: Kernels | None = None
        self._thread: threading.Thread | None = None
        self._guard = threading.Lock()

    def kernels(self) -> Kernels | None:
        """The kernels, or None; never waits. The first call starts the compiler where it is needed."""
        with self._guard:
            if self._kernels is None and self._thread is None and os.environ.get(SWITCH) != "0":
                folder = library_folder()
                self._kernels = load(folder)
                if self._kernels is None:
                    self._thread = threading.Thread(target=self._build, args=(folder,), name="compile", daemon=True)
                    self._thread.start()
            return self._kernels

    def wait(self, seconds: float) -> Kernels | None:
        """The kernels, once the compiler has ended."""
        self.kernels()
        if self._thread is not None:
            self._thread.join(seconds)
        return self.kernels()

    def _build(self, folder: Path) -> None:
        compiler = find_compiler()
        if compiler is None or read_entry(folder).failed == str(compiler):
            return  # It would fail again.
        # A process of its own gets done even where this one ends before, as `lifelike enhance` may.
        failed = run_quietly([sys.executable, "-m", __name__]) or read_entry(folder).why
        kernels = None if failed else load(folder)
        log.info("the kernels are %s", f"not compiled: {failed}" if failed else "compiled")
        with self._guard:
            self._kernels = kernels


THIS_PROCESS = Library()


def main() -> None:
    """Compile the library; exit with 1 and one line where that fails."""
    if failed := build(library_folder()):
        sys.exit(failed)


if __name__ == "__main__":
    main()
