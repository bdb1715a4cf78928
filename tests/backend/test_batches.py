# SPDX-License-Identifier: GPL-3.0-or-later
"""Lanes and the memory they share."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from lifelike.batches.lanes import fitting_lanes, in_lanes
from lifelike.batches.memory import BYTES_PER_PIXEL, Room, frame_bytes, network_bytes, pass_bytes
from lifelike.imaging.files import write_picture
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding, Inversion

PATIENCE = 30.0
"""Seconds after which a thread that should have gone on counts as stuck."""


@pytest.mark.parametrize("lanes", [1, 3])
def test_outcomes_come_in_order_whichever_is_done_first(lanes: int) -> None:
    later = threading.Event()

    def work(item: int) -> int:
        if item == 0 and lanes > 1:
            assert later.wait(PATIENCE), "the lanes do not overlap"
        if item == 4:
            later.set()
        return item * item

    assert list(in_lanes(range(8), work, lanes, threading.Event())) == [item * item for item in range(8)]


def test_no_more_items_are_begun_than_there_are_lanes() -> None:
    counting, now, most = threading.Lock(), 0, 0

    def work(item: int) -> None:
        nonlocal now, most
        with counting:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with counting:
            now -= 1

    list(in_lanes(range(20), work, 3, threading.Event()))
    assert most == 3


def test_each_lane_is_entered_once_in_its_own_thread() -> None:
    entered: list[int] = []
    here = threading.get_ident()
    met = threading.Barrier(3)

    def work(item: int) -> int:
        met.wait(PATIENCE)
        return threading.get_ident()

    threads = set(in_lanes(range(3), work, 3, threading.Event(), lambda: entered.append(threading.get_ident())))
    assert sorted(entered) == sorted(threads)
    assert here not in threads


def test_interruption_stops_what_has_begun_and_begins_no_more() -> None:
    stop, begun, ended = threading.Event(), [], []

    def work(item: int) -> None:
        begun.append(item)
        if item == 1:
            signal.raise_signal(signal.SIGINT)  # arrives in the main thread, as Ctrl-C does
        assert stop.wait(PATIENCE), "nobody said to stop"
        ended.append(item)

    with pytest.raises(KeyboardInterrupt):
        list(in_lanes(range(50), work, 2, stop))
    assert sorted(begun) == sorted(ended) == [0, 1]


def test_interruption_while_the_lanes_start_leaves_none_behind() -> None:
    def work(item: int) -> None:
        begun.append(item)
        signal.raise_signal(signal.SIGINT)
        assert stop.wait(PATIENCE), "nobody said to stop"
        ended.append(item)

    for _ in range(25):
        stop, begun, ended = threading.Event(), [], []
        with pytest.raises(KeyboardInterrupt):
            list(in_lanes(range(4), work, 4, stop))
        assert sorted(begun) == sorted(ended)


def test_lanes_fit_pictures_and_processors() -> None:
    assert fitting_lanes(1, 16) == 1
    assert fitting_lanes(5, 2) == 2
    assert fitting_lanes(3, 16) == 3
    assert fitting_lanes(1000, 128) <= 8


def taking(
    room: Room, amount: int, order: list[int], release: threading.Event, stop: threading.Event
) -> threading.Thread:
    """A thread that takes room, notes that it has, and keeps it until it is released."""

    def hold() -> None:
        with room.taken(amount, stop):
            order.append(amount)
            assert release.wait(PATIENCE)

    thread = threading.Thread(target=hold)
    thread.start()
    return thread


def wait_for_length(order: list[int], length: int) -> None:
    deadline = time.monotonic() + PATIENCE
    while len(order) < length:
        assert time.monotonic() < deadline, f"only {order} got in"
        time.sleep(0.005)


def test_room_is_never_overbooked_and_nobody_is_passed() -> None:
    room, stop, order = Room(100), threading.Event(), []
    first, second = threading.Event(), threading.Event()
    threads = [taking(room, 60, order, first, stop)]
    wait_for_length(order, 1)
    threads.append(taking(room, 70, order, second, stop))
    time.sleep(0.05)
    threads.append(taking(room, 10, order, second, stop))  # would fit, but came later
    time.sleep(0.3)
    assert order == [60]
    first.set()
    wait_for_length(order, 3)
    assert order == [60, 70, 10]
    second.set()
    for thread in threads:
        thread.join(PATIENCE)


def test_picture_larger_than_the_room_is_let_in_alone() -> None:
    with Room(100).taken(500, threading.Event()):
        pass


def test_who_waits_for_room_hears_that_it_is_over() -> None:
    room, stop = Room(100), threading.Event()
    with room.taken(80, stop):
        stop.set()
        with pytest.raises(LifelikeError) as ended, room.taken(80, stop):
            pass
    assert ended.value.code is ErrorCode.CANCELLED


@pytest.mark.parametrize("suffix", [".png", ".exr"])
def test_a_file_tells_what_its_picture_will_take(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"picture{suffix}"
    write_picture(path, np.zeros((20, 30, 3), np.uint8), Encoding())
    assert frame_bytes(path) == 20 * 30 * BYTES_PER_PIXEL


def test_a_file_that_is_no_picture_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert frame_bytes(tmp_path / "broken.png") == frame_bytes(tmp_path / "missing.png") == frame_bytes(tmp_path) == 0


def test_a_pass_takes_more_where_its_maps_are_larger() -> None:
    small, large = GeneratorSettings(256, 32768, 512), GeneratorSettings(1024, 32768, 512)
    assert pass_bytes(large) == 4 * pass_bytes(small)


def test_gradients_take_more_than_a_pass_and_tuning_more_than_refinement() -> None:
    settings = GeneratorSettings(1024, 32768, 512)
    one_pass, refined, tuned, both = (
        network_bytes(settings, Inversion(refine, tune)) for refine, tune in ((0, 0), (5, 0), (0, 5), (5, 5))
    )
    assert one_pass == pass_bytes(settings)
    assert 2_400_000_000 < refined < 3_200_000_000, "2.7 GB were measured"
    assert 4_800_000_000 < tuned == both < 6_000_000_000, "5.1 GB were measured"
