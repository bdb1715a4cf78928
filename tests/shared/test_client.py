# SPDX-License-Identifier: GPL-3.0-or-later
"""The client against a small backend behind a real socket with real keys."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from echo_backend import EchoBackend

from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import (
    PROTOCOL_VERSION,
    Cancel,
    Frame,
    Hello,
    Ping,
    Progress,
    Result,
    Settings,
    Source,
    Stage,
    Submit,
)


def picture(value: float = 0.5, wish: str = "") -> Frame:
    return Frame(np.full((8, 8, 3), value, np.float32), source=Source(scene=wish))


def heard(backend: EchoBackend, kind: type) -> list[object]:
    return [message for message in backend.heard if isinstance(message, kind)]


def wait_until(backend: EchoBackend, kind: type) -> None:
    deadline = time.monotonic() + 30
    while not heard(backend, kind):
        assert time.monotonic() < deadline, f"no {kind.__name__} came"
        time.sleep(0.01)


def test_greeting(backend: EchoBackend, client: Client) -> None:
    assert (client.server.server, client.server.version) == ("echo", PROTOCOL_VERSION)
    assert backend.heard[0] == Hello((PROTOCOL_VERSION,), "test")


def test_enhance_brings_the_picture_and_the_progress(client: Client) -> None:
    pixels = np.random.default_rng(1).random((64, 48, 4), np.float32)
    progress: list[Progress] = []
    result = client.enhance(Frame(pixels), Settings(strength=0.25), progress.append, timeout=60)
    np.testing.assert_array_equal(result.pixels, pixels)
    assert result.provenance.settings == Settings(strength=0.25)
    assert [event.stage for event in progress] == [Stage.QUEUED, Stage.TRANSFER]


def test_events_end_with_the_result(client: Client) -> None:
    job = client.submit(picture())
    events = list(client.events(job, timeout=60))
    assert [type(event) for event in events] == [Progress, Progress, Result]
    assert {event.job for event in events} == {job}
    with pytest.raises(LifelikeError) as caught:
        client.events(job)
    assert caught.value.code is ErrorCode.UNKNOWN_JOB


def test_jobs_do_not_mix(client: Client) -> None:
    first, second = client.submit(picture(0.1)), client.submit(picture(0.9))
    *_, late = client.events(second, timeout=60)
    *_, early = client.events(first, timeout=60)
    assert isinstance(early, Result)
    assert isinstance(late, Result)
    assert (early.pixels[0, 0, 0], late.pixels[0, 0, 0]) == (np.float32(0.1), np.float32(0.9))


def test_many_threads_share_one_client(client: Client) -> None:
    def work(number: int) -> float:
        result = client.enhance(picture(number / 64), timeout=120)
        client.status(timeout=120)
        return float(result.pixels[0, 0, 0])

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(work, range(32))) == [number / 64 for number in range(32)]


def test_backend_error_is_raised_with_its_code_and_remedy(client: Client) -> None:
    with pytest.raises(LifelikeError) as caught:
        client.enhance(picture(wish="no face"), timeout=60)
    assert caught.value.code is ErrorCode.NO_FACE
    assert caught.value.remedy == "Point the camera at one."
    assert client.enhance(picture(), timeout=60)


def test_cancel_from_another_thread(client: Client) -> None:
    job = client.submit(picture(wish="wait"))
    events = client.events(job, timeout=60)
    assert isinstance(next(events), Progress)
    threading.Thread(target=client.cancel, args=(job,)).start()
    with pytest.raises(LifelikeError) as caught:
        next(events)
    assert caught.value.code is ErrorCode.CANCELLED


def test_cancel_of_a_finished_job_sends_nothing(backend: EchoBackend, client: Client) -> None:
    job = client.submit(picture())
    list(client.events(job, timeout=60))
    client.cancel(job)
    client.status(timeout=60)
    assert not heard(backend, Cancel)


def test_events_can_be_asked_again_after_a_timeout(client: Client) -> None:
    job = client.submit(picture(wish="wait"))
    with pytest.raises(LifelikeError) as caught:
        list(client.events(job, timeout=0.5))
    assert caught.value.code is ErrorCode.TIMEOUT
    client.cancel(job)
    with pytest.raises(LifelikeError) as caught:
        list(client.events(job, timeout=60))
    assert caught.value.code is ErrorCode.CANCELLED


def test_enhance_that_takes_too_long_is_cancelled(backend: EchoBackend, client: Client) -> None:
    with pytest.raises(LifelikeError) as caught:
        client.enhance(picture(wish="wait"), timeout=0.5)
    assert caught.value.code is ErrorCode.TIMEOUT
    wait_until(backend, Cancel)
    (submit,), (cancel,) = heard(backend, Submit), heard(backend, Cancel)
    assert isinstance(submit, Submit)
    assert isinstance(cancel, Cancel)
    assert cancel.job == submit.job


def test_exception_of_the_progress_callback_cancels_the_job(backend: EchoBackend, client: Client) -> None:
    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.enhance(picture(wish="wait"), on_progress=stop, timeout=60)
    wait_until(backend, Cancel)


def test_job_names_are_unique_while_open(client: Client) -> None:
    assert client.submit(picture(wish="wait"), job="mine") == "mine"
    with pytest.raises(LifelikeError) as caught:
        client.submit(picture(), job="mine")
    assert caught.value.code is ErrorCode.INVALID_SETTING


def test_bad_picture_is_refused_here_and_leaves_no_job(backend: EchoBackend, client: Client) -> None:
    with pytest.raises(LifelikeError) as caught:
        client.submit(picture(np.nan), job="mine")
    assert caught.value.code is ErrorCode.NON_FINITE
    assert client.submit(picture(), job="mine")
    client.status(timeout=60)
    assert len(heard(backend, Submit)) == 1


def test_size_limit_of_the_backend_holds_before_sending(tmp_path) -> None:
    small = EchoBackend(tmp_path / "small.json", max_side=7)
    try:
        with Client.connect(small.path, timeout=30) as client, pytest.raises(LifelikeError) as caught:
            client.submit(picture())
        assert caught.value.code is ErrorCode.SIZE_LIMIT
        assert not heard(small, Submit)
    finally:
        small.close()


def test_status(client: Client) -> None:
    assert client.status(timeout=60).device == "cpu"


def test_answer_nobody_can_attribute_fails_everyone_rather_than_no_one(client: Client) -> None:
    job = client.submit(picture(wish="wait"))
    client._link.send(Cancel(""))  # the answer names no job
    with pytest.raises(LifelikeError) as caught:
        list(client.events(job, timeout=60))
    assert caught.value.code is ErrorCode.CANCELLED


def test_idle_client_keeps_the_connection_alive(backend: EchoBackend, client: Client) -> None:
    wait_until(backend, Ping)
    assert client.error is None
    assert client.enhance(picture(), timeout=60)


def test_shutdown_waits_for_the_goodbye_and_fails_open_jobs(client: Client) -> None:
    job = client.submit(picture(wish="wait"))
    client.shutdown(timeout=60)
    with pytest.raises(LifelikeError) as caught:
        list(client.events(job, timeout=60))
    assert caught.value.code is ErrorCode.BACKEND_GONE
    assert "a client asked for it" in caught.value.what


def test_close_ends_waiting_calls_and_later_ones_fail(client: Client) -> None:
    job = client.submit(picture(wish="wait"))
    threading.Timer(0.3, client.close).start()
    with pytest.raises(LifelikeError) as caught:
        list(client.events(job))
    assert caught.value.code is ErrorCode.BACKEND_GONE
    client.close()
    for call in (client.status, lambda: client.submit(picture())):
        with pytest.raises(LifelikeError) as caught:
            call()
        assert caught.value.code is ErrorCode.BACKEND_GONE


def test_forgotten_client_leaves_no_thread(backend: EchoBackend) -> None:
    before = set(threading.enumerate())
    client = Client.connect(backend.path, timeout=30)
    assert set(threading.enumerate()) - before
    gone = weakref.ref(client)
    del client
    gc.collect()
    assert gone() is None
    assert not [thread for thread in set(threading.enumerate()) - before if thread.name == "lifelike link"]
