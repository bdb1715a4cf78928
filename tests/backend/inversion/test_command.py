# SPDX-License-Identifier: GPL-3.0-or-later
"""The inversion's options of `lifelike enhance`, as a person types them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from running_backend import START_SECONDS, environment

SIDE = 192


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A picture of noise."""
    path = tmp_path / "render.png"
    Image.fromarray(np.random.default_rng(3).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)).save(path)
    return path


def lifelike(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "lifelike", *map(str, arguments)],
        env={**environment(home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def test_options_become_settings(
    tmp_path: Path, picture: Path, face_landmarks: Callable[..., np.ndarray], write_landmarks: Callable[..., Path]
) -> None:
    marks, report = write_landmarks(face_landmarks((SIDE / 2, SIDE / 2), SIDE / 3)), tmp_path / "report.json"
    wanted = ["--method", "decode", "--refine", 2, "--tune", 1, "--restore-iris", 0.25, "--restore-accessories", 0]
    output = ["-o", tmp_path / "photo.png", "--landmarks", marks, "--report", report]
    done = lifelike(tmp_path, "enhance", picture, *output, *wanted)
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(report.read_text())["pictures"]
    settings = entry["provenance"]["settings"]
    assert settings["inversion"] == {"refine": 2, "tune": 1}
    assert settings["restoration"]["iris"] == 0.25
    assert settings["restoration"]["accessories"] == 0.0


@pytest.mark.parametrize("option", [["--refine", "1001"], ["--tune", "-1"], ["--restore-skin", "1.5"]])
def test_options_out_of_range_are_refused_before_any_work(tmp_path: Path, picture: Path, option: list[str]) -> None:
    done = lifelike(tmp_path, "enhance", picture, "-o", tmp_path / "photo.png", *option)
    assert done.returncode == 2
    assert option[0] in done.stderr
    assert not (tmp_path / "photo.png").exists()
