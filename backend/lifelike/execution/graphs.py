# SPDX-License-Identifier: GPL-3.0-or-later
"""CUDA graphs: a network's many small launches recorded once and replayed as one.

One picture at a time, a large GPU waits for launches most of the time. This was written without a GPU at hand: the
buffers are tested on a CPU, where recording means to call again, and the speed is not measured.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

import torch
from attrs import frozen
from torch import Tensor

Function = Callable[..., tuple[Tensor, ...]]
Recorder = Callable[[Callable[[], tuple[Tensor, ...]]], tuple[Callable[[], None], tuple[Tensor, ...]]]
"""Takes work without arguments; gives what repeats it, and the tensors in which every repetition leaves its results."""

WARM_UP = 3  # torch's documentation of CUDA graphs: libraries choose their ways in the first calls
MOST_GRAPHS = 2  # one size is usual; each graph keeps all activations of a pass


def record_cuda(work: Callable[[], tuple[Tensor, ...]]) -> tuple[Callable[[], None], tuple[Tensor, ...]]:
    """Record what `work` launches on the current GPU; it must not wait for it nor look at any value."""
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UP):
            work()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        results = work()
    return graph.replay, results


@frozen
class Recording:
    """One size's graph with the tensors it reads and writes."""

    inputs: tuple[Tensor, ...]
    results: tuple[Tensor, ...]
    replay: Callable[[], None]


class Graphed:
    """A function of tensors, recorded for each size it meets; the least used size is forgotten.

    Args:
        function: [tensors] → tuple of tensors, the same work for all values. Called without gradients.
        record: how work is recorded.
    """

    def __init__(self, function: Function, record: Recorder = record_cuda) -> None:
        self._function, self._record = function, record
        self._recordings: OrderedDict[tuple, Recording] = OrderedDict()
        self._guard = threading.Lock()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The function's results, which are the caller's own."""
        key = tuple((tuple(value.shape), value.dtype, str(value.device)) for value in inputs)
        with self._guard:  # a graph has one set of tensors
            recording = self._recordings.get(key) or self._recorded(key, inputs)
            self._recordings.move_to_end(key)
            for own, value in zip(recording.inputs, inputs, strict=True):
                own.copy_(value)
            recording.replay()
            return tuple(result.clone() for result in recording.results)

    def _recorded(self, key: tuple, inputs: tuple[Tensor, ...]) -> Recording:
        while len(self._recordings) >= MOST_GRAPHS:
            self._recordings.popitem(last=False)
        own = tuple(value.clone() for value in inputs)
        replay, results = self._record(lambda: self._function(*own))
        recording = self._recordings[key] = Recording(own, results, replay)
        return recording
