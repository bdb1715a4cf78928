# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lifelike bench` finds: the fields of its JSON, explained in benchmarks/README.md."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen

FORMAT = "lifelike-bench-1"


@frozen
class Peak:
    """The most that an operation reached. operation: "matmul" or "convolution"; gflops: 10⁹ operations a second."""

    operation: str
    precision: str
    gflops: float


@frozen
class Timing:
    """One network's pass on one picture.

    network: "generator", "e4e" or "small encoder". resolution: side of the picture, pixels.
    execution: "plain" (this project's modules as they are), "uncompiled" (as a person without a compiler gets them),
        "accelerated" (as one with a compiler or a GPU does) or "reference".
    seconds: median over the rounds; fastest: the least.
    gflop: operations of a pass, counted, in 10⁹. peak_share: of the measured peak of this precision, 0…, above 1 where
        an algorithm needs fewer operations than counted.
    ratio: how many times as fast as the reference in fp32; None without one.
    deviation: largest difference to the plain network in fp32, in standard deviations of its output.
    """

    network: str
    resolution: int
    execution: str
    precision: str
    seconds: float
    fastest: float
    gflop: float
    peak_share: float | None
    ratio: float | None
    deviation: float


@frozen
class Absence:
    """What could not be measured, and why in a sentence."""

    what: str
    why: str


@frozen
class Stage:
    """One step of a picture's way. seconds: median. share: of all steps together."""

    name: str
    seconds: float
    share: float


@frozen
class Throughput:
    """A batch of pictures from files into files. seconds: wall time, median over the rounds.

    pictures: how many. lanes: at a time. threads: CPU threads of torch in each lane. ratio: to one by one with all
    threads.
    """

    pictures: int
    lanes: int
    threads: int
    seconds: float
    pictures_per_second: float
    ratio: float


@frozen
class MemoryPeak:
    """Largest memory of a fresh process, bytes.

    before: when everything is imported, nothing loaded. peak: after one pass.
    gpu_peak: largest memory torch took on a GPU; None on a CPU.
    """

    network: str
    resolution: int
    execution: str
    precision: str
    before: int
    peak: int
    gpu_peak: int | None


@frozen
class Start:
    """The first passes of a network in a fresh process, wall time.

    kind: "plain" (the modules as they are), "first start" (nothing compiled yet; a compiler works meanwhile) or "next
        start" (compiled code is kept from the first).
    set_up: seconds before the first pass, weights loaded. first, second: of the passes.
    ratio: set-up and first pass, to a plain first pass; None where that was not measured.
    """

    network: str
    resolution: int
    kind: str
    set_up: float
    first: float
    second: float
    ratio: float | None


@frozen
class Report:
    """Everything. machine, settings: what it was measured on and how, by name."""

    machine: dict[str, Any]
    settings: dict[str, Any]
    peaks: tuple[Peak, ...] = ()
    timings: tuple[Timing, ...] = ()
    stages: tuple[Stage, ...] = ()
    throughput: tuple[Throughput, ...] = ()
    memory: tuple[MemoryPeak, ...] = ()
    starts: tuple[Start, ...] = ()
    absent: tuple[Absence, ...] = ()
    format: str = field(default=FORMAT)
