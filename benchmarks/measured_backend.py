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


def upright_landmarks(side: int) -> np.ndarray:
    """(68, 2) float64: an upright face a third as wide as the picture, in its middle. A rough drawing is enough to
    align by, and what the networks make of the noise costs as much as what they make of a face."""
    jaw = _arc(0, -0.05, 0.5, 0.62, 180, 0, 17)
    brows = [_arc(x, -0.2, 0.15, 0.08, 200, 340, 5) for x in (-0.22, 0.22)]
    nose = [np.stack([np.zeros(4), np.linspace(-0.15, 0.1, 4)], 1), _arc(0, 0.13, 0.09, 0.03, 180, 0, 5)]
    eyes = [_arc(x, -0.13, 0.08, 0.035, 180, 480, 6) for x in (-0.2, 0.2)]
    lips = [_arc(0, 0.3, 0.17, 0.07, 180, 510, 12), _arc(0, 0.3, 0.12, 0.03, 180, 495, 8)]
    face = np.concatenate([jaw, *brows, *nose, *eyes, *lips])
    return face * side / 3 + side / 2


def _arc(x: float, y: float, width: float, height: float, start: float, stop: float, count: int) -> np.ndarray:
    """`count` points of an ellipse from `start` to `stop` degrees."""
    angle = np.radians(np.linspace(start, stop, count))
    return np.stack([x + width * np.cos(angle), y + height * np.sin(angle)], 1)
