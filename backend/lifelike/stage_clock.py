# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run of the pipeline is, and how long each stage took."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from torch import nn

from lifelike_protocol.messages import Stage

Item = TypeVar("Item")

Report = Callable[[Stage, float], None]
"""Called often with the stage and the fraction of the whole job, 0…1; may raise to end the job."""

STARTS = {Stage.LOCATE: 0.0, Stage.ALIGN: 0.3, Stage.INVERT: 0.35, Stage.TRANSFER: 0.55, Stage.COMPOSITE: 0.85}
"""Where each stage begins on the way from 0 to 1."""

STARTS_LOOKING_LONGER = {
    Stage.LOCATE: 0.0, Stage.ALIGN: 0.04, Stage.INVERT: 0.05, Stage.TRANSFER: 0.94, Stage.COMPOSITE: 0.98
}  # fmt: skip
"""The same where refinement or tuning takes nearly all of the time."""

_REGISTERING = threading.Lock()
"""torch counts its hooks without one, so that two threads' could get the same number."""


class StageClock:
    """Times the stages and turns their inner progress into the whole job's.

    starts: where each stage begins, 0…1, in order.
    """

    def __init__(self, report: Report, starts: dict[Stage, float] = STARTS) -> None:
        self._report, self._starts = report, starts
        self._seconds: dict[str, float] = {}
        self._now, self._done, self._share = Stage.LOCATE, 0.0, 1.0
        self._part = (0.0, 1.0)
        self._reached = 0.0

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[None]:
        """One stage, reported at its start."""
        self._now, self._done = stage, 0.0
        self._tell(0.0)
        started = time.perf_counter()
        yield
        self._seconds[stage.value] = time.perf_counter() - started

    @contextmanager
    def part(self, start: float, end: float) -> Iterator[None]:
        """What comes fills this part of the stage, 0…1."""
        self._part = (start, end)
        yield
        self._part = (0.0, 1.0)

    def advance(self, within: float) -> None:
        """So much of the stage is done, 0…1."""
        self._tell(within)

    def each(self, items: Sequence[Item]) -> Iterator[Item]:
        """The stage's items, with a report before each."""
        self._share = 1 / max(len(items), 1)
        for index, item in enumerate(items):
            self._done = index * self._share
            self._tell(self._done)
            yield item

    @contextmanager
    def inside(self, layers: nn.ModuleList | Iterator[nn.Module]) -> Iterator[None]:
        """Reports before every layer of a network, so that a job can end in the middle of one.

        Only of passes on the calling thread: other threads may run the same network for other frames.
        """
        modules, thread = list(layers), threading.get_ident()
        parts = {module: index / len(modules) for index, module in enumerate(modules)}

        def tell(module: nn.Module, _: object) -> None:
            if threading.get_ident() == thread:
                self._tell(self._done + parts[module] * self._share)

        with _REGISTERING:
            hooks = [module.register_forward_pre_hook(tell) for module in modules]
        try:
            yield
        finally:
            with _REGISTERING:
                for hook in hooks:
                    hook.remove()

    def timings(self) -> dict[str, float]:
        """Seconds per stage and in all."""
        return {**self._seconds, "total": sum(self._seconds.values())}

    def _tell(self, within: float) -> None:
        stages = list(self._starts)
        following = stages.index(self._now) + 1
        end = self._starts[stages[following]] if following < len(stages) else 1.0
        start = self._starts[self._now]
        first, last = self._part
        fraction = start + (end - start) * (first + (last - first) * min(within, 1.0))
        # Layers need not be called in the order in which a network holds them.
        self._reached = max(self._reached, fraction)
        self._report(self._now, self._reached)


def layers_of(network: nn.Module) -> Iterator[nn.Module]:
    """A network's parts, and where a part is a list of layers, those."""
    for part in network.children():
        if isinstance(part, (nn.ModuleList, nn.Sequential)):
            yield from part
        else:
            yield part
