# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures a second of a batch, one by one and in lanes, through the code of `lifelike enhance`."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from rich.console import Console

from lifelike.batches.lanes import fitting_lanes
from lifelike.batches.memory import Room, free_share
from lifelike.bench.clock import Clock, take_turns
from lifelike.bench.figures import Throughput
from lifelike.commands.enhance_batch import Wish, enhance_all
from lifelike.commands.enhance_crew import crew_of
from lifelike.worker import Worker
from lifelike_protocol.errors import ErrorCode, LifelikeError


def time_batches(
    worker: Worker,
    wish: Wish,
    pictures: Sequence[Path],
    folder: Path,
    rounds: int,
    told: Callable[[str], None] = lambda what: None,
) -> list[Throughput]:
    """One by one with all of torch's threads, then as many lanes as `lifelike enhance` takes, and one more.

    Args:
        worker: with the bundle in memory.
        wish: with `force`, since the same files are written again.
        folder: for results.

    Raises:
        LifelikeError: what became of the first picture that failed.
    """
    threads, clock = torch.get_num_threads(), Clock("wall", 0)
    most = fitting_lanes(len(pictures), threads)
    lanes = sorted({1, most, most + 1})

    def batch(count: int) -> Callable[[], float]:
        return lambda: clock.seconds(lambda: _enhance(worker, wish, pictures, folder, count))

    taken = take_turns({str(count): batch(count) for count in lanes}, rounds, lambda name: told(f"batch, {name} lanes"))
    medians = {count: statistics.median(taken[str(count)]) for count in lanes}
    return [
        Throughput(
            pictures=len(pictures),
            lanes=count,
            threads=max(1, threads // count),
            seconds=median,
            pictures_per_second=len(pictures) / median,
            ratio=medians[1] / median,
        )
        for count, median in medians.items()
    ]


def _enhance(worker: Worker, wish: Wish, pictures: Sequence[Path], folder: Path, lanes: int) -> None:
    jobs = [(picture, folder / picture.name) for picture in pictures]
    with Path(os.devnull).open("w") as nowhere, crew_of(worker, lanes, len(pictures), wish.settings) as crew:
        entries = enhance_all(jobs, wish, crew, Room(free_share()), Console(file=nowhere))
    for entry in entries:
        if "error" in entry:
            raise LifelikeError(ErrorCode(entry["error"]["code"]), entry["error"]["what"], entry["error"]["remedy"])
