# SPDX-License-Identifier: GPL-3.0-or-later
"""Who works for `lifelike enhance`: this process, or the backend that runs already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lifelike.batches.lanes import WAIT_SLICE, fitting_lanes
from lifelike.commands.enhance_batch import Crew, Report, ShownProgress
from lifelike.execution.precision import Precision
from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame, Progress, Result, Settings, Stage

if TYPE_CHECKING:
    from lifelike.worker import Worker

CONNECTED_LANES = 3
"""One picture is worked on, one waits for its turn, one is on its way from or to a file."""


@contextmanager
def in_this_process(
    device: str,
    threads: int | None,
    lanes: int | None,
    pictures: int,
    settings: Settings,
    precision: Precision = Precision.AUTO,
) -> Iterator[Crew]:
    """A new worker of this process."""
    from lifelike.devices import set_threads
    from lifelike.worker import Worker

    set_threads(threads)
    with crew_of(Worker(device, precision), lanes, pictures, settings) as crew:
        yield crew


@contextmanager
def crew_of(worker: Worker, lanes: int | None, pictures: int, settings: Settings) -> Iterator[Crew]:
    """A worker; each of several lanes gets its share of torch's CPU threads."""
    import torch

    from lifelike.pipeline import Listener

    threads = torch.get_num_threads()
    lanes = min(lanes, pictures) if lanes else fitting_lanes(pictures, threads)

    # On a GPU one after the other, files beside: nobody else may use it while one of its graphs is recorded.
    turn = threading.Lock() if worker.device == "cuda" else nullcontext()

    def enhance(frame: Frame, settings: Settings, report: Report) -> Result:
        with turn:
            return worker.work("enhance", frame, settings, report, Listener(_error_of(report)))

    # OpenMP counts its threads for every thread that calls it.
    enter = partial(torch.set_num_threads, max(1, threads // lanes))
    try:
        yield Crew(enhance, lanes, _network_bytes(settings) if worker.device == "cpu" else 0, enter)
    finally:
        torch.set_num_threads(threads)


def _error_of(report: Report) -> Callable[[float | None], None]:
    """Who hears the inversion's error along with a report."""
    return report.hear_error if isinstance(report, ShownProgress) else lambda error: None


def _pass_on(report: Report, progress: Progress) -> None:
    _error_of(report)(progress.error)
    report(progress.stage, progress.fraction)


def _network_bytes(settings: Settings) -> int:
    """What the networks take beside a frame; 0 for a bundle that can't be read, which loading it explains."""
    from lifelike.batches.memory import network_bytes
    from lifelike.bundles import find_bundle, read_card

    try:
        return network_bytes(read_card(find_bundle(settings.bundle)).generator, settings.inversion)
    except LifelikeError:
        return 0


@contextmanager
def connected(connection_file: Path | None, lanes: int | None, pictures: int) -> Iterator[Crew]:
    """The running backend. Its queue is shared with others: while it is full, ours waits for the next to be done."""
    with Client.connect(connection_file, name="lifelike enhance") as client:
        yield Crew(Requests(client).enhance, min(lanes or CONNECTED_LANES, pictures))


class Requests:
    """Several threads' pictures at one backend."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._open = self._ended = 0
        self._changed = threading.Condition()

    def enhance(self, frame: Frame, settings: Settings, report: Report) -> Result:
        """As `Client.enhance`; a full queue is an error only where none of ours is in it.

        Raises:
            LifelikeError: as `Client.enhance`, and what `report` raised.
        """
        while True:
            with self._changed:
                self._open += 1
            try:
                return self._client.enhance(frame, settings, on_progress=partial(_pass_on, report))
            except LifelikeError as error:
                if error.code is not ErrorCode.QUEUE_FULL:
                    raise
                full = error
            finally:
                with self._changed:
                    self._open -= 1
                    self._ended += 1
                    self._changed.notify_all()
            self._wait_for_another(full, report)

    def _wait_for_another(self, full: LifelikeError, report: Report) -> None:
        """Until one more of ours has ended; raises `full` where none is open, and before that what `report` raises."""
        report(Stage.QUEUED, 0.0)  # whoever has been stopped is told that, and not that the queue was full
        with self._changed:
            if not self._open:
                raise full
            ended = self._ended
            while self._ended == ended:
                report(Stage.QUEUED, 0.0)
                self._changed.wait(WAIT_SLICE)
