# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benchmarks share: a backend process of their own, and a frame with faces whose landmarks are known."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lifelike.bench.drawn_picture import upright_landmarks
from lifelike_protocol.client import Client
from lifelike_protocol.messages import FaceHint, Frame

CONNECT_SECONDS = 60.0


@contextmanager
def measured_backend(*options: str) -> Iterator[Client]:
    """A client of a new backend process, which ends afterwards. `options`: more arguments of `lifelike serve`."""
    with tempfile.TemporaryDirectory() as folder:
        connection_file = Path(folder) / "connection.json"
        command = [sys.executable, "-m", "lifelike", "serve", "--connection-file", str(connection_file)]
        command += ["--log-file", str(Path(folder) / "backend.log"), *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                if not process.stdout.readline().startswith("ready"):
                    raise SystemExit("The backend did not start; run `lifelike doctor`.")
                with Client.connect(connection_file, timeout=CONNECT_SECONDS, name="benchmark") as client:
                    yield client
            finally:
                process.terminate()


def noise_frame(side: int, dtype: str = "uint8", channels: int = 3, faces: int = 1, seed: int = 0) -> Frame:
    """A square of noise, which compresses as badly as any picture, with `faces` faces sent along."""
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (side, side, channels), dtype=np.uint8)
    if dtype != "uint8":
        pixels = (pixels / 255).astype(dtype)
    hints = tuple(FaceHint(f"face {number}", upright_landmarks(side)) for number in range(faces))
    return Frame(pixels, faces=hints)
