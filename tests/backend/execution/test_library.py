# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled code is loaded only if it is, byte for byte, what was made here, and nobody else can have put it there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lifelike.execution import library
from lifelike.execution.compiler import find_compiler
from lifelike.execution.library import LIBRARY, RECORD, SWITCH, Library, build, library_folder, load, read_entry

SECONDS = 240.0

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps others out of a user's folders itself")


@pytest.fixture
def folder(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the compiled library, in the cache where this process would look."""
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path))
    monkeypatch.delenv(SWITCH, raising=False)
    place = library_folder()
    place.parent.mkdir(parents=True, mode=0o700)
    shutil.copytree(built, place)
    return place


def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "")
    monkeypatch.setenv("PATH", "")


def test_cached_library_is_there_at_once_without_a_compiler(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_compiler(monkeypatch)
    assert Library().kernels() is not None


@pytest.mark.parametrize("damage", ["cut", "changed", "record", "no record", "no library"])
def test_damaged_library_is_not_loaded(folder: Path, damage: str) -> None:
    compiled = folder / LIBRARY
    if damage == "cut":
        compiled.write_bytes(compiled.read_bytes()[:5000])
    elif damage == "changed":
        content = bytearray(compiled.read_bytes())
        content[len(content) // 2] ^= 1
        compiled.write_bytes(content)
    elif damage == "record":
        (folder / RECORD).write_text("{")
    else:
        (folder / (RECORD if damage == "no record" else LIBRARY)).unlink()
    assert load(folder) is None


def test_damaged_library_is_made_anew_while_nobody_waits(folder: Path) -> None:
    (folder / LIBRARY).write_bytes((folder / LIBRARY).read_bytes()[:5000])
    fresh = Library()
    assert fresh.kernels() is None
    assert fresh.wait(SECONDS) is not None
    assert read_entry(folder).library is not None


@posix
@pytest.mark.parametrize("part", [".", "..", LIBRARY, RECORD])
def test_library_that_others_can_write_to_is_not_loaded(folder: Path, part: str) -> None:
    (folder / part).chmod(0o722)
    assert load(folder) is None
    assert read_entry(folder).foreign


@posix
def test_library_of_another_user_is_not_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    assert load(folder) is None


@posix
@pytest.mark.parametrize("part", ["", LIBRARY])
def test_link_is_not_followed(folder: Path, tmp_path: Path, part: str) -> None:
    moved = tmp_path / "elsewhere"
    (folder / part).rename(moved)
    (folder / part).symlink_to(moved)
    assert load(folder) is None
    assert moved.exists()


@posix
def test_link_in_the_cache_is_replaced_and_its_target_left_alone(folder: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    folder.symlink_to(moved)
    assert build(folder) == ""
    assert load(folder) is not None
    assert sorted(moved.iterdir()) == [moved / LIBRARY, moved / RECORD]


def test_library_that_computes_something_else_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, built: Path
) -> None:
    changed = []
    for source in library.SOURCES:
        copy = tmp_path / source.name
        copy.write_text(source.read_text("utf-8").replace("2.5f * d2", "2.6f * d2"), encoding="utf-8")
        changed.append(copy)
    monkeypatch.setattr(library, "SOURCES", tuple(changed))
    folder = tmp_path / "kernels" / "wrong"
    assert "standard deviation" in build(folder)
    assert load(folder) is None


def test_without_a_compiler_nothing_fails_and_nothing_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path))
    monkeypatch.delenv(SWITCH, raising=False)
    no_compiler(monkeypatch)
    assert find_compiler() is None
    assert Library().wait(SECONDS) is None
    assert not library_folder().exists()


@pytest.mark.skipif(os.name != "posix", reason="needs a script that can be run")
def test_compiler_that_fails_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, script = tmp_path / "calls", tmp_path / "c++"
    script.write_text(f"#!/bin/sh\necho again >> {calls}\necho no such header >&2\nexit 3\n")
    script.chmod(0o755)
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.setenv("CXX", str(script))
    for _ in range(2):
        assert Library().wait(SECONDS) is None
    assert calls.read_text().split() == ["again"]
    assert "no such header" in read_entry(library_folder()).why


def test_switched_off_nothing_is_compiled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path))
    monkeypatch.setenv(SWITCH, "0")
    assert Library().wait(SECONDS) is None
    assert not library_folder().parent.exists()


def test_what_an_ended_process_left_is_swept_up(folder: Path) -> None:
    old, new = folder.parent / ".new-old", folder.parent / ".new-new"
    for left in (old, new):
        left.mkdir()
    os.utime(old, (0, 0))
    assert build(folder) == ""
    assert (old.exists(), new.exists()) == (False, True)


def test_compiling_goes_on_when_the_process_that_began_it_has_ended(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path))
    monkeypatch.delenv(SWITCH, raising=False)
    begin = "import os, time; from lifelike.execution.library import Library; Library().kernels(); "
    # Long enough for the other process to exist, too short for any compiler.
    subprocess.run([sys.executable, "-c", begin + "time.sleep(0.5); os._exit(0)"], check=True, timeout=SECONDS)
    deadline = time.monotonic() + SECONDS
    while read_entry(library_folder()).library is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
