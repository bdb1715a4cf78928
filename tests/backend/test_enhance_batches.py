# SPDX-License-Identifier: GPL-3.0-or-later
"""Several pictures at a time become what they become one by one."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve

from lifelike.batches.memory import Room
from lifelike.commands.enhance_batch import Job, Report, Wish, enhance_all
from lifelike.commands.enhance_crew import Requests, connected, in_this_process
from lifelike.execution.library import SWITCH, THIS_PROCESS
from lifelike.imaging.files import read_picture, write_picture
from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding, FaceHint, Frame, Result, Settings, Stage
from running_backend import RunningBackend, wait_for, wait_until_working
from small_bundle import small_bundle

Placed = Callable[..., np.ndarray]
SIDE = 128
PICTURES = 6
PATIENCE = 300.0
MANY = 25
"""Faces of a frame that takes long."""
ROOM = Room(1 << 30)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a small bundle."""
    path = tmp_path_factory.mktemp("bundle") / "small.safetensors"
    small_bundle().save(path)
    return str(path)


@pytest.fixture
def wish(face_landmarks: Placed, bundle: str) -> Wish:
    """The same face in the middle of every picture; strength between the generators, which is made on first use."""
    return Wish(Settings(bundle, strength=0.5), (FaceHint("Ann", face_landmarks((SIDE / 2, SIDE / 2), SIDE / 3)),))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Pictures of noise, the third of them broken."""
    paths = [tmp_path / f"{number}.png" for number in range(PICTURES)]
    for number, path in enumerate(paths):
        pixels = np.random.default_rng(number).integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
        write_picture(path, pixels, Encoding())
    paths[2].write_bytes(b"no picture")
    return paths


@pytest.fixture(scope="module")
def short_queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningBackend]:
    """A real backend in which one picture may wait."""
    running = RunningBackend(tmp_path_factory.mktemp("backend"), "--queue-limit", "1")
    running.wait_until_ready()
    yield running
    running.end()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Results are the same to the last bit where each picture is computed by as many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def as_compiled_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """No kernels become ready between two runs that are compared: they round otherwise."""
    monkeypatch.setenv(SWITCH, "0")
    THIS_PROCESS.wait(PATIENCE)


def into(folder: Path, pictures: list[Path]) -> list[Job]:
    folder.mkdir()
    return [(picture, folder / picture.name) for picture in pictures]


def test_lanes_change_nothing_about_pictures_and_report(
    wish: Wish, pictures: list[Path], tmp_path: Path, one_thread: None
) -> None:
    entries = {}
    for lanes in (1, 3):
        with in_this_process("cpu", None, lanes, PICTURES, wish.settings) as crew:
            assert crew.lanes == lanes
            entries[lanes] = enhance_all(into(tmp_path / f"with {lanes}", pictures), wish, crew, ROOM)
    for one_by_one, together, picture in zip(entries[1], entries[3], pictures, strict=True):
        assert together["input"] == one_by_one["input"] == str(picture)
        assert together.get("error") == one_by_one.get("error")
        assert together.get("faces") == one_by_one.get("faces")
    assert ["error" in entry for entry in entries[3]] == [False, False, True, False, False, False]
    assert entries[3][2]["error"]["code"] == "invalid_file"
    written = {lanes: sorted(path.name for path in (tmp_path / f"with {lanes}").iterdir()) for lanes in (1, 3)}
    assert written[1] == written[3] == [picture.name for picture in pictures if picture.stem != "2"]
    for name in written[3]:
        assert (tmp_path / "with 1" / name).read_bytes() == (tmp_path / "with 3" / name).read_bytes()


def test_room_for_one_takes_pictures_one_by_one(wish: Wish, pictures: list[Path], tmp_path: Path) -> None:
    with in_this_process("cpu", 3, None, PICTURES, wish.settings) as crew:
        assert crew.lanes == 3
        assert crew.network_bytes > 0
        at_work, most = threading.Semaphore(1), []

        def alone(frame: Frame, settings: Settings, report: object) -> Result:
            most.append(at_work.acquire(blocking=False))
            result = crew.enhance(frame, settings, report)
            at_work.release()
            return result

        entries = enhance_all(into(tmp_path / "out", pictures), wish, evolve(crew, enhance=alone), Room(1))
    assert most == [True] * (PICTURES - 1)
    assert sum("error" in entry for entry in entries) == 1


def test_interruption_leaves_only_whole_files(wish: Wish, pictures: list[Path], tmp_path: Path) -> None:
    jobs = into(tmp_path / "out", pictures)
    with in_this_process("cpu", 2, 2, PICTURES, wish.settings) as crew:
        begun = []

        def interrupted(frame: Frame, settings: Settings, report: Report) -> Result:
            begun.append(frame)
            if len(begun) == 3:
                signal.raise_signal(signal.SIGINT)
            if len(begun) >= 3:
                # Small pictures are done sooner than the main thread hears of it.
                until_stopped(report)
            return crew.enhance(frame, settings, report)

        with pytest.raises(KeyboardInterrupt):
            enhance_all(jobs, wish, evolve(crew, enhance=interrupted), ROOM)
    assert len(begun) < PICTURES - 1
    written = list((tmp_path / "out").iterdir())
    assert {path.name for path in written} < {path.name for path in pictures}
    for path in written:
        assert read_picture(path).pixels.shape == (SIDE, SIDE, 3)


def test_threads_are_shared_among_lanes_and_given_back(wish: Wish) -> None:
    before = torch.get_num_threads()
    shares = []
    with in_this_process("cpu", 4, 2, PICTURES, wish.settings) as crew:
        lane = threading.Thread(target=lambda: (crew.enter(), shares.append(torch.get_num_threads())))
        lane.start()
        lane.join()
        assert torch.get_num_threads() == 4
    assert shares == [2]
    assert torch.get_num_threads() == 4
    torch.set_num_threads(before)


def test_backend_with_a_short_queue_gets_all_pictures(
    short_queue: RunningBackend, wish: Wish, pictures: list[Path], tmp_path: Path
) -> None:
    with connected(short_queue.connection_file, 5, PICTURES) as crew:
        assert crew.lanes == 5
        entries = enhance_all(into(tmp_path / "out", pictures), wish, crew, ROOM)
    assert [entry.get("error", {}).get("code") for entry in entries] == [None, None, "invalid_file", None, None, None]
    assert len(list((tmp_path / "out").iterdir())) == PICTURES - 1


def test_queue_full_of_others_is_an_error(short_queue: RunningBackend, portrait: Callable[..., Frame]) -> None:
    with short_queue.connect() as other, connected(short_queue.connection_file, None, PICTURES) as crew:
        fill(other, portrait)
        with pytest.raises(LifelikeError) as refused:
            crew.enhance(portrait(), Settings(), lambda stage, fraction: None)
    assert refused.value.code is ErrorCode.QUEUE_FULL


def test_who_waits_for_the_queue_can_be_stopped(short_queue: RunningBackend, portrait: Callable[..., Frame]) -> None:
    stop, ended = threading.Event(), []
    with short_queue.connect() as client:
        requests = Requests(client)

        def report(stage: Stage, fraction: float) -> None:
            if stop.is_set():
                raise LifelikeError(ErrorCode.CANCELLED, "Enough.")

        def ask() -> None:
            with pytest.raises(LifelikeError) as error:
                requests.enhance(portrait(faces=MANY), Settings(), report)
            ended.append(error.value.code)

        # One is worked on, one waits in the queue, the third for the queue.
        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_for(lambda: client.status().queued == 1, "the queue did not fill")
        stop.set()
        for thread in threads:
            thread.join(60)
    assert ended == [ErrorCode.CANCELLED] * 3


def until_stopped(report: Report) -> None:
    """Works, without end, until the report ends it."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        report(Stage.INVERT, 0.0)
        time.sleep(0.01)


def fill(client: Client, portrait: Callable[..., Frame]) -> None:
    """Gives a backend whose queue takes one picture a long one to work on and one to wait."""
    working = client.submit(portrait(faces=MANY))
    wait_until_working(client, working)
    client.submit(portrait())
    wait_for(lambda: client.status().queued == 1, "the queue did not fill")
