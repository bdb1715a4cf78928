# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that is lent: never twice, always again, and given back."""

from __future__ import annotations

import mmap
import threading

import numpy as np
import psutil
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lifelike.execution import arena as arenas
from lifelike.execution.arena import LARGE, PAGE, Arena, OwnArena, uninitialised

pytestmark = pytest.mark.skipif(not hasattr(mmap, "MADV_HUGEPAGE"), reason="an arena is made on Linux only")


def place(lent: memoryview) -> int:
    return np.frombuffer(lent, np.uint8).ctypes.data


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5 * PAGE), st.booleans()), max_size=25))
def test_nothing_is_lent_twice(wishes: list[tuple[int, bool]]) -> None:
    arena = Arena(16 * PAGE)
    kept: list[tuple[memoryview, int]] = []
    for number, (size, given_up) in enumerate(wishes):
        lent = arena.lend(size)
        if lent is None:
            assert kept, "all of it was free"
        else:
            assert len(lent) >= size
            lent[0] = lent[-1] = number
            kept.append((lent, number))
        del lent
        if given_up and kept:
            kept.pop(len(kept) // 2)
    for lent, number in kept:
        assert lent[0] == lent[-1] == number


def test_the_lowest_gap_is_taken_again() -> None:
    arena = Arena(8 * PAGE)
    first, second, third = (arena.lend(2 * PAGE) for _ in range(3))
    places = [place(lent) for lent in (first, second, third)]
    assert places == sorted(places)
    assert arena.lend(4 * PAGE) is None
    del first, third
    assert place(arena.lend(PAGE)) == places[0]
    assert place(arena.lend(3 * PAGE)) == places[2]


def test_a_tensor_keeps_its_memory_as_long_as_any_view_of_it() -> None:
    one = uninitialised(LARGE // 4, dtype=torch.float32)
    one.fill_(7)
    view = one.view(1024, -1)[5:6].T
    where = one.data_ptr()
    del one
    other = uninitialised(LARGE // 4, dtype=torch.float32)
    other.fill_(1)
    assert other.data_ptr() != where
    assert bool((view == 7).all())
    del view, other
    assert uninitialised(LARGE // 4, dtype=torch.float32).data_ptr() == where


def test_what_is_not_lent_goes_back_to_the_system() -> None:
    arena, process = Arena(64 * PAGE), psutil.Process()
    kept, released = arena.lend(8 * PAGE), arena.lend(48 * PAGE)
    kept[:] = b"k" * len(kept)
    np.frombuffer(released, np.uint8)[:] = 1
    before = process.memory_info().rss
    del released
    arena.give_back()
    assert before - process.memory_info().rss > 40 * PAGE
    assert bytes(kept) == b"k" * len(kept)


def test_threads_have_memory_of_their_own() -> None:
    arena, wrong = Arena(64 * PAGE), []

    def borrow(mark: int) -> None:
        for _ in range(200):
            lent = arena.lend(PAGE)
            lent[:64] = bytes([mark]) * 64
            if bytes(lent[:64]) != bytes([mark]) * 64:
                wrong.append(mark)

    threads = [threading.Thread(target=borrow, args=(mark,)) for mark in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(arena.lend(64 * PAGE)) == 64 * PAGE


def test_what_has_no_room_is_left_to_malloc(monkeypatch: pytest.MonkeyPatch) -> None:
    little = OwnArena()
    little._arena, little._wanted = Arena(LARGE), False
    monkeypatch.setattr(arenas, "THIS_PROCESS", little)
    first, second = (uninitialised(LARGE // 4, dtype=torch.float32) for _ in range(2))
    first.fill_(1)
    second.fill_(2)
    assert float(first.max()) == 1


def test_without_addresses_there_is_no_arena(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arenas, "MOST", 1 << 60)
    monkeypatch.setattr(arenas, "SHARE", 1e9)
    without = OwnArena()
    assert without.lend(LARGE) is None
    without.give_back()
    monkeypatch.setattr(arenas, "THIS_PROCESS", without)
    assert uninitialised(LARGE // 2, 3, dtype=torch.float32).shape == (LARGE // 2, 3)
