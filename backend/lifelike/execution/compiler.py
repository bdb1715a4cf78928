# SPDX-License-Identifier: GPL-3.0-or-later
"""The C++ compiler of this machine, where there is one. Without it everything works, more slowly."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import psutil

COMPILERS = ("c++", "g++", "clang++")
COMPILE_SECONDS = 300.0
NICENESS = 10  # nobody waits for a compiler
FLAGS = ("-O3", "-std=c++17", "-fPIC", "-shared", "-w")
"""GCC's and Clang's. Microsoft's compiler lacks the vector extensions that the kernels are written in."""


def find_compiler() -> Path | None:
    """CXX where it is set, else the first of the usual names on PATH."""
    for name in (os.environ.get("CXX", ""), *COMPILERS):
        # CXX may hold options too, which are not ours.
        found = shutil.which(name.split()[0]) if name.split() else None
        if found:
            return Path(found)
    return None


def machine_flags() -> tuple[str, ...]:
    """What makes a compiler use all that this processor has."""
    arm_mac = sys.platform == "darwin" and platform.machine() == "arm64"
    return ("-mcpu=native",) if arm_mac else ("-march=native",)


def compile_sources(compiler: Path, sources: list[Path], target: Path) -> str:
    """Make a shared library; "" or, in one line, why there is none."""
    command = [str(compiler), *FLAGS, *machine_flags(), "-o", str(target), *map(str, sources)]
    return run_quietly(command)


def run_quietly(command: list[str], timeout: float = COMPILE_SECONDS) -> str:
    """Run a command at low priority; "" or, in one line, why it failed."""
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is meant for others
        ) as process:
            _step_back(process.pid)
            try:
                _, complaint = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                return f"{Path(command[0]).name} took longer than {timeout:.0f} s"
    except OSError as error:
        return f"{command[0]} could not be started ({error.strerror})"
    if process.returncode == 0:
        return ""
    lines = complaint.decode(errors="replace").strip().splitlines()
    return f"{Path(command[0]).name} ended with {process.returncode}: {lines[-1] if lines else 'no word'}"


def _step_back(pid: int) -> None:
    try:
        low = psutil.BELOW_NORMAL_PRIORITY_CLASS if sys.platform == "win32" else NICENESS
        psutil.Process(pid).nice(low)
    except (psutil.Error, OSError):
        pass
