# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing that other programs on the machine disturb as little as can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch

PROCESSOR_TIME = "processor time"
WALL_TIME = "wall time"


class Clock:
    """Seconds of one thread's processor time, which other work on the machine hardly changes; else wall time.

    Args:
        device: "cpu" or "cuda".
        threads: CPU threads of torch; with more than one their processor times would add up.
    """

    def __init__(self, device: str, threads: int) -> None:
        self.device = device
        self.name = PROCESSOR_TIME if device == "cpu" and threads == 1 else WALL_TIME
        self._now = time.process_time if self.name == PROCESSOR_TIME else time.perf_counter

    def seconds(self, action: Callable[[], object]) -> float:
        """What the action takes, on a GPU until it is done there too."""
        self._wait()
        began = self._now()
        action()
        self._wait()
        return self._now() - began

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


def take_turns(
    contestants: Mapping[str, Callable[[], float]],
    rounds: int,
    told: Callable[[str], None] = lambda name: None,
) -> dict[str, list[float]]:
    """Seconds of every contestant in every round; all take part in each, so that a slow minute slows down all.

    Args:
        contestants: each does its work once and says how long that took.
        rounds: that count; one before them only warms up.
        told: called with the contestant's name before each turn.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, contestant in contestants.items():
            told(name)
            taken = contestant()
            if turn > 0:
                seconds[name].append(taken)
    return seconds
