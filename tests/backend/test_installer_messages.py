# SPDX-License-Identifier: GPL-3.0-or-later
"""What the installer says when something is missing: one sentence, no traceback."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY))

from installer import blender, command_line, pythons, running  # noqa: E402
from installer.places import Places  # noqa: E402
from installer.refusal import Refusal  # noqa: E402
from installer.torch_build import CPU, CUDA, TorchChoice, build_of, judge  # noqa: E402

posix = pytest.mark.skipif(os.name == "nt", reason="a script cannot stand for a program on Windows")


def test_an_old_python_gets_a_sentence() -> None:
    source = (REPOSITORY / "install.py").read_text(encoding="utf-8")
    ast.parse(source, feature_version=(3, 4))
    script = (
        "import runpy, sys; sys.version_info = (3, 8, 10, 'final', 0); "
        f"runpy.run_path({str(REPOSITORY / 'install.py')!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Lifelike needs Python 3.10 or newer, and this is 3.8: run install.py with a newer one.\n"


def test_no_network_is_told_in_a_sentence(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--retries", "1", "--timeout", "5", "--dest", tmp_path]
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": ""}
    with pytest.raises(running.Failed, match="Fetching failed because the network cannot be reached"):
        running.run([*command, "lifelike-is-nowhere"], "Fetching", tmp_path / "log", None, offline)


def test_a_full_disk_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = running.reason("Installing", "ERROR: Could not install: [Errno 28] No space left on device\n", tmp_path)
    assert said.startswith("Installing failed because the disk is full")
    if not Path("/dev/full").exists():
        return

    def fill() -> int:
        with Path("/dev/full").open("w") as file:
            file.write("one byte too many")
        return 0

    assert running.guarded(fill) == 1
    assert capsys.readouterr().err.strip().startswith("The disk is full")


def test_another_failure_names_its_last_error_and_the_log(tmp_path: Path) -> None:
    script = "print('fine'); print('ERROR: the moon is full'); print('bye'); raise SystemExit(4)"
    log = tmp_path / "logs" / "step.log"
    with pytest.raises(running.Failed) as caught:
        running.run([sys.executable, "-c", script], "The step", log)
    assert str(caught.value) == f"The step failed: ERROR: the moon is full (log: {log})"
    assert log.read_text() == "fine\nERROR: the moon is full\nbye\n"


def test_a_python_that_fits_no_blender_is_told_which_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = (pythons.BpyModule("4.5.15", (3, 98), "1"), pythons.BpyModule("5.2.3", (3, 99), "1"))
    monkeypatch.setattr(pythons, "FOR_THE_DEMO", modules)
    with pytest.raises(Refusal) as caught:
        pythons.ensure_bpy_for_demo(Places(tmp_path))
    assert "no Blender 4.2 or newer" in str(caught.value)
    assert "install Blender (and pass --blender PATH if it is not found), or Python 3.98 or 3.99." in str(caught.value)


def program(folder: Path, says: str) -> Path:
    """A program that answers `--version` as some Blender would."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "blender"
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@posix
def test_a_blender_that_was_named_must_fit(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"no Blender at .*nowhere: --blender takes the path"):
        blender.chosen(tmp_path / "nowhere")
    with pytest.raises(Refusal, match=r"is Blender 3\.4\.1, and Lifelike needs 4\.2 or newer"):
        blender.chosen(program(tmp_path / "old", "Blender 3.4.1"))
    with pytest.raises(Refusal, match="does not run as a Blender does"):
        blender.chosen(program(tmp_path / "other", "Mixer 9"))
    named = program(tmp_path / "fits", "Blender 4.10.2 LTS")
    assert blender.chosen(named.parent) == blender.Blender(named, (4, 10, 2))


@posix
def test_the_newest_blender_wins_where_the_one_on_the_path_is_too_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = program(tmp_path / "path", "Blender 4.1.0")
    places = [program(tmp_path / name, f"Blender {name}") for name in ("4.2.9", "5.0.1", "3.6.0")]
    monkeypatch.setenv("PATH", str(old.parent), prepend=os.pathsep)
    monkeypatch.setattr(blender, "_usual_places", lambda: iter(places))
    assert blender.find() == blender.Blender(places[1], (5, 0, 1))
    program(old.parent, "Blender 4.2.0")
    assert blender.find() == blender.Blender(old, (4, 2, 0))


def test_the_torch_build_is_told_from_its_wheel() -> None:
    assert build_of("2.13.0+cpu", []) == CPU
    assert build_of("2.13.0+cu130", []) == CUDA
    assert build_of("2.13.0", ["sympy>=1.13", 'nvidia-nvjitlink; platform_system == "Solaris"']) == CPU
    assert build_of("2.13.0", ["nvidia-cudnn-cu13==9.20"]) == CUDA


def test_a_torch_build_that_was_not_wanted_is_told_or_refused() -> None:
    assert judge(CPU, TorchChoice(CPU)) == ""
    assert "3 GB more" in judge(CUDA, TorchChoice(CPU))
    with pytest.raises(Refusal, match="--torch-index"):
        judge(CPU, TorchChoice(CUDA))


def test_options_stand_before_or_after_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIFELIKE_TORCH_INDEX", raising=False)
    parse = command_line.parse
    for words in (["--cpu", "demo"], ["demo", "--cpu"]):
        given = parse(words)
        assert (given.command, given.build, given.torch_index) == ("demo", CPU, "")
    assert parse([]).command is None
    for words in (["--", "-k", "codec", "-x"], ["-k", "codec", "--cpu", "-x"], ["-k", "codec", "-x"]):
        assert parse(["test", *words]).for_pytest == ["-k", "codec", "-x"]
    assert parse(["test", "tests/shared", "-k", "codec"]).for_pytest == ["tests/shared", "-k", "codec"]
    with pytest.raises(SystemExit):
        parse(["demo", "-x"])


def test_uninstalling_deletes_only_folders_of_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("LIFELIKE_CONNECTION_FILE", str(tmp_path / "documents" / "connection.json"))
    folders = command_line._user_folders()
    assert all(folder.is_relative_to(tmp_path / "home") and folder != tmp_path / "home" for folder in folders)
    assert command_line.locations.cache_dir() in folders, "gigabytes of fetched files would be left"
