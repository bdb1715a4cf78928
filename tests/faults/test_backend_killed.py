# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend dies or is ended in the middle of a picture: the client hears so, and nothing is left hanging."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame
from running_backend import RunningBackend, wait_until_working

Start = Callable[..., RunningBackend]
Portrait = Callable[..., Frame]

GONE_SECONDS = 10.0
MANY_FACES = 64


def test_client_of_a_killed_backend_is_told_within_ten_seconds(start_backend: Start, portrait: Portrait) -> None:
    backend = start_backend()
    with backend.connect() as client:
        job = client.submit(portrait(faces=MANY_FACES))
        wait_until_working(client, job)
        backend.process.kill()
        killed_at = time.monotonic()
        with pytest.raises(LifelikeError) as gone:
            list(client.events(job))
        assert gone.value.code is ErrorCode.BACKEND_GONE
        assert gone.value.remedy
        assert time.monotonic() - killed_at < GONE_SECONDS


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="only POSIX can stop a process without ending it")
def test_client_of_a_frozen_backend_is_told(start_backend: Start, portrait: Portrait) -> None:
    backend = start_backend()
    with backend.connect() as client:
        job = client.submit(portrait(faces=MANY_FACES))
        wait_until_working(client, job)
        os.kill(backend.process.pid, signal.SIGSTOP)
        with pytest.raises(LifelikeError) as gone:
            list(client.events(job))
        assert gone.value.code is ErrorCode.BACKEND_GONE


def test_new_backend_serves_on_the_killed_ones_file(start_backend: Start, portrait: Portrait) -> None:
    killed = start_backend()
    killed.process.kill()
    killed.wait_until_ended()
    with start_backend(home=killed.home).connect() as client:
        assert client.enhance(portrait()).faces


def test_shutdown_while_working_ends_the_job_and_the_process(start_backend: Start, portrait: Portrait) -> None:
    backend = start_backend()
    with backend.connect("worker") as worker, backend.connect("stopper") as stopper:
        working = worker.submit(portrait(faces=MANY_FACES))
        waiting = worker.submit(portrait(faces=MANY_FACES))
        wait_until_working(worker, working)
        stopper.shutdown(timeout=60)
        for job in (working, waiting):
            with pytest.raises(LifelikeError) as gone:
                list(worker.events(job))
            assert gone.value.code is ErrorCode.BACKEND_GONE
    assert backend.wait_until_ended() == 0
    assert not backend.connection_file.exists()
    assert "Traceback" not in backend.log
