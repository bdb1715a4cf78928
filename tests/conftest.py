# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests share: the optional data folder, and a drawn face whose landmarks are known."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from lifelike_protocol.messages import FaceHint, Frame
from running_backend import RunningBackend

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell ignores Ctrl-C for what it starts in the background, and so would the tests and all they start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    """The optional folder of fixtures and heads (LIFELIKE_SHARED, or `shared` next to the repository)."""
    folder = Path(os.environ.get("LIFELIKE_SHARED", REPOSITORY.parent / "shared"))
    if not (folder / "fixtures").is_dir():
        pytest.skip(f"needs the optional data folder (LIFELIKE_SHARED; {folder} has no fixtures)")
    return folder


def _arc(center: tuple[float, float], radii: tuple[float, float], start: float, stop: float, count: int) -> np.ndarray:
    angle = np.radians(np.linspace(start, stop, count))
    return np.stack([center[0] + radii[0] * np.cos(angle), center[1] + radii[1] * np.sin(angle)], axis=1)


def _upright_face() -> np.ndarray:
    """68 landmarks of a face as wide as 1, its centre near (0, 0)."""
    return np.concatenate(
        [
            _arc((0, -0.05), (0.5, 0.62), 180, 0, 17),  # jaw
            _arc((-0.22, -0.2), (0.15, 0.08), 200, 340, 5),  # brows
            _arc((0.22, -0.2), (0.15, 0.08), 200, 340, 5),
            np.stack([np.zeros(4), np.linspace(-0.15, 0.1, 4)], axis=1),  # nose
            _arc((0, 0.13), (0.09, 0.03), 180, 0, 5),
            _arc((-0.2, -0.13), (0.08, 0.035), 180, 480, 6),  # eyes
            _arc((0.2, -0.13), (0.08, 0.035), 180, 480, 6),
            _arc((0, 0.3), (0.17, 0.07), 180, 510, 12),  # lips
            _arc((0, 0.3), (0.12, 0.03), 180, 495, 8),
        ]
    )


@pytest.fixture(scope="session")
def face_landmarks() -> Callable[..., np.ndarray]:
    """Landmarks (68, 2) of an upright face, placed: center (x, y), width in pixels, turn in degrees."""

    def placed(center: tuple[float, float], width: float, turn: float = 0.0) -> np.ndarray:
        angle = np.radians(turn)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return _upright_face() @ rotation.T * width + np.asarray(center, np.float64)

    return placed


@pytest.fixture
def start_backend(tmp_path: Path) -> Iterator[Callable[..., RunningBackend]]:
    """Starts real backend processes; called with more options of `lifelike serve`.

    `home` is the folder of an earlier one, to meet on the same connection file; with `ready=False` nothing is waited
    for.
    """
    started: list[RunningBackend] = []

    def start(*options: str, home: Path | None = None, ready: bool = True) -> RunningBackend:
        if home is None:
            home = tmp_path / f"backend-{len(started)}"
            home.mkdir()
        backend = RunningBackend(home, *options)
        started.append(backend)
        if ready:
            backend.wait_until_ready()
        return backend

    yield start
    for backend in started:
        backend.end()


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBackend]:
    """One real backend process for all tests of a module that leave it running."""
    running = RunningBackend(tmp_path_factory.mktemp("backend"))
    running.wait_until_ready()
    yield running
    running.end()


@pytest.fixture
def portrait(face_landmarks: Callable[..., np.ndarray]) -> Callable[..., Frame]:
    """A frame of noise with `faces` faces whose landmarks are sent along; (side, side, 3) uint8."""

    def drawn(side: int = 256, faces: int = 1) -> Frame:
        pixels = np.random.default_rng(7).integers(0, 255, (side, side, 3), dtype=np.uint8)
        marks = face_landmarks((side / 2, side / 2), side / 3)
        return Frame(pixels, faces=tuple(FaceHint(name=f"face {index}", landmarks=marks) for index in range(faces)))

    return drawn


@pytest.fixture
def write_landmarks(tmp_path: Path) -> Callable[..., Path]:
    """Writes faces, each (68, 2), to a landmark file; one face alone as just its 68 pairs."""

    def written(*faces: np.ndarray) -> Path:
        path = tmp_path / "landmarks.json"
        lists = [face.tolist() for face in faces]
        path.write_text(json.dumps(lists[0] if len(lists) == 1 else lists), encoding="utf-8")
        return path

    return written
