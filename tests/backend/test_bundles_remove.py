# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles remove`: deletes what was named, asks first, and never touches anything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lifelike.bundles.registry import BUILTIN, BUILTIN_FILE, user_folder
from lifelike.commands import bundles
from lifelike_protocol.errors import ErrorCode, LifelikeError
from running_backend import START_SECONDS, environment


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The person's folder with the bundle files mine and other; what is in them does not matter."""
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    folder = user_folder()
    folder.mkdir(parents=True)
    for name in ("mine", "other", BUILTIN):
        (folder / f"{name}.safetensors").write_bytes(b"nothing")
    return folder


def refused(name: str) -> LifelikeError:
    done = CliRunner().invoke(bundles.app, ["remove", name, "--yes"])
    assert isinstance(done.exception, LifelikeError), done.output
    return done.exception


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_bundle_is_removed_and_no_other(own: Path) -> None:
    assert CliRunner().invoke(bundles.app, ["remove", "mine", "--yes"]).exit_code == 0
    assert names(own) == [f"{BUILTIN}.safetensors", "other.safetensors"]


def test_the_built_in_bundle_stays(own: Path) -> None:
    before = names(own)
    assert refused(BUILTIN).code is ErrorCode.INVALID_SETTING
    assert BUILTIN_FILE.exists()
    assert names(own) == before


def test_nothing_outside_the_folder_is_removed(own: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes(b"precious")
    for name in (str(outside), "../outside", "..", ".", "", "mine.safetensors", "nobody"):
        error = refused(name)
        assert error.code is ErrorCode.UNKNOWN_BUNDLE
        assert "mine, other" in error.remedy
    assert outside.exists()
    (own / "linked.safetensors").symlink_to(outside)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "card.json").write_text("{}")
    (own / "linked folder").symlink_to(tmp_path / "folder")
    for name in ("linked", "linked folder"):
        assert CliRunner().invoke(bundles.app, ["remove", name, "--yes"]).exit_code == 0
    assert outside.read_bytes() == b"precious"
    assert (tmp_path / "folder" / "card.json").exists()
    assert names(own) == [f"{BUILTIN}.safetensors", "mine.safetensors", "other.safetensors"]


def test_of_a_folder_only_the_bundle_is_removed(own: Path) -> None:
    for name, more in (("plain", ()), ("shared", ("notes.txt",))):
        (own / name).mkdir()
        for file in ("card.json", "weights.safetensors", *more):
            (own / name / file).write_text("{}")
        done = CliRunner().invoke(bundles.app, ["remove", name, "--yes"])
        assert done.exit_code == 0
    assert "notes.txt" in done.output
    assert not (own / "plain").exists()
    assert names(own / "shared") == ["notes.txt"]


def test_it_asks_first(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lifelike.commands.bundles_remove._someone_is_there", lambda: True)
    assert CliRunner().invoke(bundles.app, ["remove", "mine"], input="n\n").exit_code == 1
    assert (own / "mine.safetensors").exists()
    assert CliRunner().invoke(bundles.app, ["remove", "mine"], input="y\n").exit_code == 0
    assert not (own / "mine.safetensors").exists()


def test_nobody_there_to_ask_removes_nothing(own: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lifelike", "bundles", "remove", "mine"],
        env=environment(tmp_path / "home"),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 1
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr
    assert (own / "mine.safetensors").exists()
