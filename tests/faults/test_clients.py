# SPDX-License-Identifier: GPL-3.0-or-later
"""Several clients at once, clients that vanish, and cancelling in time."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Result, Settings
from running_backend import START_SECONDS, RunningBackend, environment, wait_for, wait_until_working

Portrait = Callable[..., Frame]

MANY_FACES = 64
CANCEL_SECONDS = 1.0

SUBMIT_AND_WAIT = """
import pathlib, sys, numpy as np
from lifelike_protocol.client import Client
from lifelike_protocol.messages import FaceHint, Frame
landmarks = np.load(sys.argv[2])
client = Client.connect(pathlib.Path(sys.argv[1]), timeout=120)
frame = Frame(np.zeros((256, 256, 3), np.uint8), faces=(FaceHint(landmarks=landmarks),) * 64)
job = client.submit(frame)
for event in client.events(job):
    print(event.stage.value, flush=True)
"""


def test_two_clients_get_their_own_pictures(backend: RunningBackend, portrait: Portrait) -> None:
    frames = [portrait(side=200), portrait(side=256, faces=2)]
    results: list[Result | None] = [None, None]

    def work(number: int) -> None:
        with backend.connect(f"client {number}") as client:
            results[number] = client.enhance(frames[number], Settings(strength=0.5 + number / 2))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(START_SECONDS)
    for frame, result, strength in zip(frames, results, (0.5, 1.0), strict=True):
        assert result is not None
        assert result.pixels.shape == frame.pixels.shape
        assert len(result.faces) == len(frame.faces)
        assert result.provenance.settings.strength == strength


def test_two_clients_may_use_the_same_job_name(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as first, backend.connect() as second:
        slow = first.submit(portrait(faces=MANY_FACES), job="picture")
        wait_until_working(first, slow)
        quick = second.submit(portrait(), job="picture")
        first.cancel("picture")
        with pytest.raises(LifelikeError) as ended:
            list(first.events(slow))
        assert ended.value.code is ErrorCode.CANCELLED
        assert isinstance(list(second.events(quick))[-1], Result)


def test_cancel_is_answered_within_a_second(backend: RunningBackend, portrait: Portrait) -> None:
    """The best of a few tries counts: a busy machine may be slow once, a backend that waits for its work always is."""
    with backend.connect() as client:
        seconds = []
        for _ in range(3):
            job = client.submit(portrait(side=1024, faces=MANY_FACES))
            wait_until_working(client, job)
            asked_at = time.monotonic()
            client.cancel(job)
            with pytest.raises(LifelikeError) as ended:
                list(client.events(job))
            seconds.append(time.monotonic() - asked_at)
            assert ended.value.code is ErrorCode.CANCELLED
        assert min(seconds) < CANCEL_SECONDS
        wait_for(lambda: client.status().working_on == "", "the work went on after it was cancelled")


def test_jobs_of_a_killed_client_are_dropped(backend: RunningBackend, portrait: Portrait, tmp_path: Path) -> None:
    (hint,) = portrait().faces
    np.save(tmp_path / "landmarks.npy", hint.landmarks)
    process = subprocess.Popen(
        [sys.executable, "-c", SUBMIT_AND_WAIT, str(backend.connection_file), str(tmp_path / "landmarks.npy")],
        env=environment(backend.home),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with backend.connect() as watcher:
        while process.stdout.readline().strip() not in ("locate", "align", "invert", "transfer"):
            assert process.poll() is None
        process.kill()
        process.wait(START_SECONDS)
        wait_for(lambda: watcher.status().working_on == "", "the killed client's job was kept")
        assert watcher.enhance(portrait()).faces
    process.stdout.close()
