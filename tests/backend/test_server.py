# SPDX-License-Identifier: GPL-3.0-or-later
"""A real backend process over a real socket, used as clients use it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lifelike.bundles import load_bundle
from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Progress, Result, Settings, Stage
from running_backend import STEPS, RunningBackend, wait_for, wait_until_working

MANY_FACES = 64
"""Takes long enough that the backend is still working when the next message comes."""

Portrait = Callable[..., Frame]


def failure_of(client: Client, job: str) -> LifelikeError:
    """The error that `job` ends with."""
    with pytest.raises(LifelikeError) as failed:
        list(client.events(job))
    return failed.value


def test_picture_comes_back_with_its_faces_and_provenance(backend: RunningBackend, portrait: Portrait) -> None:
    frame = portrait(faces=2)
    with backend.connect() as client:
        result = client.enhance(frame, Settings(strength=1.0))
        status = client.status()
    assert result.pixels.shape == frame.pixels.shape
    assert result.pixels.dtype == frame.pixels.dtype
    assert result.encoding == frame.encoding
    assert not np.array_equal(result.pixels, frame.pixels)
    assert [face.name for face in result.faces] == ["face 0", "face 1"]
    assert result.provenance.bundle_sha256 == next(b.sha256 for b in status.bundles if b.name == "builtin")
    assert result.provenance.device == "cpu"
    assert result.timings["total"] > 0


def test_progress_passes_every_step_in_order(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        events = list(client.events(client.submit(portrait())))
    stages = list(dict.fromkeys(event.stage for event in events if isinstance(event, Progress)))
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert [stage for stage in stages if stage in STEPS] == STEPS
    assert stages[0] is Stage.QUEUED
    assert fractions == sorted(fractions)
    assert isinstance(events[-1], Result)


def test_status_is_answered_while_a_picture_is_worked_on(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        job = client.submit(portrait(faces=MANY_FACES))
        wait_until_working(client, job)
        status = client.status()
        assert status.working_on == job
        assert status.pid == backend.process.pid
        assert status.loaded_bundles == ("builtin",)
        client.cancel(job)
        assert failure_of(client, job).code is ErrorCode.CANCELLED


def test_waiting_jobs_know_their_place_and_can_be_cancelled(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        first = client.submit(portrait(faces=MANY_FACES))
        wait_until_working(client, first)
        second, third = client.submit(portrait()), client.submit(portrait())
        assert [next(client.events(job)).queue_position for job in (second, third)] == [1, 2]
        client.cancel(second)
        assert failure_of(client, second).code is ErrorCode.CANCELLED
        client.cancel(first)
        assert failure_of(client, first).code is ErrorCode.CANCELLED
        assert isinstance(list(client.events(third))[-1], Result)


def test_waiting_client_hears_again_and_again(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        working, waiting = client.submit(portrait(faces=MANY_FACES)), client.submit(portrait())
        events = client.events(waiting, timeout=60)
        heard = [next(events) for _ in range(3)]
        assert all(isinstance(event, Progress) and event.stage is Stage.QUEUED for event in heard)
        client.cancel(waiting)
        client.cancel(working)


def test_backend_works_on_after_a_cancelled_job(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        job = client.submit(portrait(faces=MANY_FACES))
        wait_until_working(client, job)
        client.cancel(job)
        assert failure_of(client, job).code is ErrorCode.CANCELLED
        assert client.enhance(portrait()).faces


def test_full_queue_is_refused_and_the_others_go_on(
    start_backend: Callable[..., RunningBackend], portrait: Portrait
) -> None:
    with start_backend("--queue-limit", "1").connect() as client:
        working = client.submit(portrait(faces=MANY_FACES))
        wait_until_working(client, working)
        waiting, refused = client.submit(portrait()), client.submit(portrait())
        assert failure_of(client, refused).code is ErrorCode.QUEUE_FULL
        client.cancel(working)
        assert failure_of(client, working).code is ErrorCode.CANCELLED
        assert isinstance(list(client.events(waiting))[-1], Result)


def test_idle_backend_gives_its_bundle_back_and_loads_it_again(
    start_backend: Callable[..., RunningBackend], portrait: Portrait
) -> None:
    with start_backend("--idle-unload", "0.5").connect() as client:
        assert client.enhance(portrait()).faces
        wait_for(lambda: client.status().loaded_bundles == (), "the bundle was not unloaded")
        assert client.enhance(portrait()).faces
        assert client.status().loaded_bundles == ("builtin",)


def test_bundle_that_was_replaced_is_loaded_again(backend: RunningBackend, portrait: Portrait, tmp_path: Path) -> None:
    settings = Settings(bundle=str(tmp_path / "mine.safetensors"))
    bundle = load_bundle("builtin", "cpu")
    bundle.save(Path(settings.bundle))
    with backend.connect() as client:
        first = client.enhance(portrait(), settings).provenance
        next(bundle.photo.synthesis.parameters()).add_(0.5)
        bundle.save(Path(settings.bundle))
        second = client.enhance(portrait(), settings).provenance
    assert first.bundle_sha256 != second.bundle_sha256


def test_jobs_of_a_client_that_left_are_dropped(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as watcher:
        leaver = backend.connect()
        working = leaver.submit(portrait(faces=MANY_FACES))
        leaver.submit(portrait(faces=MANY_FACES))
        wait_until_working(leaver, working)
        leaver.close()
        wait_for(lambda: (s := watcher.status()).working_on == "" and s.queued == 0, "the jobs were kept")


def test_unchanged_backend_serves_clients_one_after_another(backend: RunningBackend, portrait: Portrait) -> None:
    frame = portrait()
    results = []
    for _ in range(3):
        with backend.connect() as client:
            results.append(client.enhance(frame).pixels)
    assert all(np.array_equal(results[0], other) for other in results[1:])
