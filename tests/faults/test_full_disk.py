# SPDX-License-Identifier: GPL-3.0-or-later
"""The disk is full while a picture is written: the old file stays, no half of a new one is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from running_backend import START_SECONDS, environment

resource = pytest.importorskip("resource", reason="only POSIX can limit the size of files")

# A process that may write no file beyond this size meets the same failure as on a full disk, in the same call.
FREE_BYTES = 2000


def limit_file_size() -> None:
    """In the child, before it runs."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (FREE_BYTES, FREE_BYTES))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".exr"])
def test_full_disk_keeps_the_old_picture(
    tmp_path: Path, face_landmarks: Callable[..., np.ndarray], write_landmarks: Callable[..., Path], suffix: str
) -> None:
    picture, output = tmp_path / "render.png", tmp_path / f"photo{suffix}"
    noise = np.random.default_rng(1).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    Image.fromarray(noise).save(picture)
    output.write_bytes(b"the old picture")
    landmarks = write_landmarks(face_landmarks((128, 128), 90))
    home = tmp_path / "home"
    home.mkdir()
    before = sorted(tmp_path.iterdir())
    command = [sys.executable, "-m", "lifelike", "enhance", str(picture), "-o", str(output), "--force"]
    done = subprocess.run(
        [*command, "--landmarks", str(landmarks), "--device", "cpu"],
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        preexec_fn=limit_file_size,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert str(output) in done.stderr.replace("\n", "")
    assert output.read_bytes() == b"the old picture"
    assert sorted(tmp_path.iterdir()) == before
