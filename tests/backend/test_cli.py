# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `lifelike` as a person types it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from PIL import Image

from lifelike.imaging.files import read_picture, write_picture
from running_backend import START_SECONDS, RunningBackend, environment
from small_bundle import small_bundle

Landmarks = Callable[..., np.ndarray]
WriteLandmarks = Callable[..., Path]
SIDE = 256


@pytest.fixture
def lifelike(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command and returns what it printed; no failure may show a traceback."""

    def run(*arguments: str | Path, home: Path = tmp_path / "home") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "lifelike", *map(str, arguments)],
            env={**environment(home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
        )
        assert "Traceback" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of noise, 256 × 256."""
    path = tmp_path / "render.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def landmarks(face_landmarks: Landmarks, write_landmarks: WriteLandmarks) -> Path:
    """A landmark file of one face in the middle of the picture."""
    return write_landmarks(face_landmarks((SIDE / 2, SIDE / 2), SIDE / 3))


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_enhance_writes_a_changed_picture_and_a_report(
    lifelike, picture: Path, landmarks: Path, tmp_path: Path
) -> None:
    output, report = tmp_path / "photo.png", tmp_path / "report.json"
    done = lifelike("enhance", picture, "-o", output, "--landmarks", landmarks, "--report", report)
    assert done.returncode == 0, done.stderr
    before, after = read(picture), read(output)
    assert after.shape == before.shape
    assert not np.array_equal(before, after)
    assert np.array_equal(before[0], after[0]), "pixels far from the face changed"
    (entry,) = json.loads(report.read_text())["pictures"]
    (face,) = entry["faces"]
    assert face["landmark_source"] == "scene"
    assert np.shape(face["landmarks"]) == (68, 2)
    assert "identity_similarity" in face
    assert "landmark_drift" in face
    assert entry["timings"]["total"] > 0
    assert entry["provenance"]["bundle"]
    assert entry["provenance"]["settings"]["strength"] == 1.0


def test_enhance_tells_what_its_pictures_are_bound_to(lifelike, picture: Path, landmarks: Path, tmp_path: Path) -> None:
    bundle = small_bundle()
    bundle.card = evolve(bundle.card, licence="CC-BY-NC-4.0", non_commercial=True, citation="First work\nSecond work")
    bundle.save(tmp_path / "bound.safetensors")
    report = tmp_path / "report.json"
    options = ("--bundle", tmp_path / "bound.safetensors", "--landmarks", landmarks, "--report", report)
    done = lifelike("enhance", picture, "-o", tmp_path / "photo.png", *options)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-4:] == [
        "Non-commercial: CC-BY-NC-4.0",
        "Please cite:",
        "First work",
        "Second work",
    ]
    (entry,) = json.loads(report.read_text())["pictures"]
    assert entry["provenance"]["non_commercial"] is True
    assert entry["provenance"]["licence"] == "CC-BY-NC-4.0"
    assert entry["provenance"]["citation"] == "First work\nSecond work"
    described = json.loads(Image.open(entry["output"]).info["Description"])
    assert {**entry["provenance"], "bundle": described["bundle"]} == described, "a picture tells its own terms"
    assert "/" not in described["bundle"], "the person's folders are nobody's business"


def test_options_of_the_inversion_become_settings(lifelike, picture: Path, landmarks: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    wanted = [
        "--method",
        "decode",
        "--refine",
        "2",
        "--tune",
        "1",
        "--restore-iris",
        "0.25",
        "--restore-accessories",
        "0",
    ]
    done = lifelike(
        "enhance", picture, "-o", tmp_path / "photo.png", "--landmarks", landmarks, "--report", report, *wanted
    )
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(report.read_text())["pictures"]
    settings = entry["provenance"]["settings"]
    assert settings["inversion"] == {"refine": 2, "tune": 1}
    assert settings["restoration"]["iris"] == 0.25
    assert settings["restoration"]["accessories"] == 0.0


@pytest.mark.parametrize("option", [["--refine", "1001"], ["--tune", "-1"], ["--restore-skin", "1.5"]])
def test_options_of_the_inversion_out_of_range_are_refused(
    lifelike, picture: Path, tmp_path: Path, option: list[str]
) -> None:
    done = lifelike("enhance", picture, "-o", tmp_path / "photo.png", *option)
    assert done.returncode == 2
    assert option[0] in done.stderr
    assert not (tmp_path / "photo.png").exists()


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".exr"])
def test_every_kind_of_file_is_read_and_written(
    lifelike, picture: Path, landmarks: Path, tmp_path: Path, suffix: str
) -> None:
    converted, output = tmp_path / f"render{suffix}", tmp_path / f"photo{suffix}"
    frame = read_picture(picture)
    write_picture(converted, frame.pixels, frame.encoding)
    done = lifelike("enhance", converted, "-o", output, "--landmarks", landmarks)
    assert done.returncode == 0, done.stderr
    before, after = read_picture(converted), read_picture(output)
    assert after.pixels.shape == before.pixels.shape
    assert after.pixels.dtype == before.pixels.dtype
    assert not np.array_equal(before.pixels, after.pixels)


def test_unknown_kind_of_output_is_refused_before_the_work(lifelike, picture: Path, tmp_path: Path) -> None:
    done = lifelike("enhance", picture, "-o", tmp_path / "photo.docx")
    assert done.returncode == 1
    assert ".docx" in done.stderr
    assert ".png" in done.stderr


def test_strength_zero_changes_less_than_strength_one(lifelike, picture: Path, landmarks: Path, tmp_path: Path) -> None:
    change = {}
    for strength in ("0", "1"):
        output = tmp_path / f"photo{strength}.png"
        done = lifelike("enhance", picture, "-o", output, "--landmarks", landmarks, "--strength", strength)
        assert done.returncode == 0, done.stderr
        change[strength] = np.abs(read(output).astype(int) - read(picture)).mean()
    assert change["0"] < change["1"]


def test_existing_output_is_kept_without_force(lifelike, picture: Path, landmarks: Path, tmp_path: Path) -> None:
    output = tmp_path / "photo.png"
    output.write_bytes(b"mine")
    done = lifelike("enhance", picture, "-o", output, "--landmarks", landmarks)
    assert done.returncode == 1
    assert "--force" in done.stderr
    assert output.read_bytes() == b"mine"
    assert lifelike("enhance", picture, "-o", output, "--landmarks", landmarks, "--force").returncode == 0
    assert read(output).shape == (SIDE, SIDE, 3)


def test_every_picture_that_fails_is_told_and_stops_no_other(lifelike, tmp_path: Path) -> None:
    faceless, broken, output = tmp_path / "grey.png", tmp_path / "broken.png", tmp_path / "photos"
    Image.new("RGB", (SIDE, SIDE), "grey").save(faceless)
    broken.write_bytes(b"no picture")
    report = tmp_path / "report.json"
    missing = tmp_path / "missing.png"
    done = lifelike("enhance", broken, faceless, missing, "-o", output, "--report", report)
    assert done.returncode == 1
    entries = json.loads(report.read_text())["pictures"]
    assert [entry["error"]["code"] for entry in entries] == ["invalid_file", "no_face", "invalid_file"]
    for path in (broken, faceless, missing):
        assert path.name in done.stderr


def test_several_pictures_are_not_written_to_one_file(lifelike, picture: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.png"
    other.write_bytes(picture.read_bytes())
    single_file = tmp_path / "one.png"
    single_file.write_bytes(b"mine")
    done = lifelike("enhance", picture, other, "-o", single_file)
    assert done.returncode == 1
    assert "folder" in done.stderr
    assert single_file.read_bytes() == b"mine"


def test_enhance_through_a_running_backend_gives_the_same_picture(
    lifelike, backend: RunningBackend, picture: Path, landmarks: Path, tmp_path: Path
) -> None:
    here, there = tmp_path / "here.png", tmp_path / "there.png"
    assert lifelike("enhance", picture, "-o", here, "--landmarks", landmarks, "--device", "cpu").returncode == 0
    connection = ("--connect", "--connection-file", backend.connection_file)
    done = lifelike("enhance", picture, "-o", there, "--landmarks", landmarks, *connection)
    assert done.returncode == 0, done.stderr
    assert np.abs(read(here).astype(int) - read(there)).max() <= 1


@pytest.mark.parametrize("content", ["not json", "[]", "[[1, 2]]", '{"landmarks": 3}', "null", "[" * 5000])
def test_bad_landmark_files_are_told_in_one_line(lifelike, picture: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.json"
    file.write_text(content)
    done = lifelike("enhance", picture, "-o", tmp_path / "photo.png", "--landmarks", file)
    assert done.returncode == 1
    assert "bad.json" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("command", ["status", "stop"])
def test_without_a_backend_it_says_so(lifelike, command: str) -> None:
    done = lifelike(command)
    assert done.returncode == 1
    assert "not running" in done.stderr


def test_status_shows_the_running_backend(lifelike, backend: RunningBackend) -> None:
    done = lifelike("status", "--connection-file", backend.connection_file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["pid"] == backend.process.pid
    shown = lifelike("status", "--connection-file", backend.connection_file)
    assert str(backend.log_file) in shown.stdout


def test_stop_ends_the_running_backend(lifelike, start_backend: Callable[..., RunningBackend]) -> None:
    backend = start_backend()
    done = lifelike("stop", "--connection-file", backend.connection_file)
    assert done.returncode == 0, done.stderr
    assert backend.wait_until_ended() == 0


def test_bundles_are_listed_and_shown(lifelike) -> None:
    listed = json.loads(lifelike("bundles", "list", "--json").stdout)
    (builtin,) = [bundle for bundle in listed if bundle["name"] == "builtin"]
    shown = json.loads(lifelike("bundles", "show", "builtin", "--json").stdout)
    assert shown["sha256"] == builtin["sha256"]
    assert shown["licence"] == builtin["licence"]
    assert "builtin" in lifelike("bundles", "list").stdout


def test_unknown_bundle_is_told_in_one_line(lifelike) -> None:
    done = lifelike("bundles", "show", "nobody's")
    assert done.returncode == 1
    assert "nobody's" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize("arguments", [["enhance"], ["enhance", "a.png"], ["nothing"], ["serve", "--port", "high"]])
def test_wrong_usage_has_its_own_exit_status(lifelike, arguments: list[str]) -> None:
    assert lifelike(*arguments).returncode == 2


def test_debug_shows_the_traceback(picture: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lifelike", "--debug", "status"]
    done = subprocess.run(
        command, env=environment(tmp_path), capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
