# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest memory that a network takes, each time in a process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from lifelike.bench.clock import Clock
from lifelike.bench.contestants import Subject, Way, random_bundle, ways
from lifelike.bench.figures import Absence, MemoryPeak
from lifelike.bench.fresh_process import ask
from lifelike.bench.network_timings import REFERENCE
from lifelike.bench.reference import Reference, kind_of, suits


def measure_memory(
    subject: Subject, references: Sequence[Path], clock: Clock, threads: int
) -> tuple[list[MemoryPeak], list[Absence]]:
    """Every way of one network, and the reference where it has that network and works on the CPU."""
    peaks: list[MemoryPeak] = []
    absent: list[Absence] = []
    for checkout in references:
        if suits(kind_of(checkout), subject) and clock.device == "cpu":
            with Reference(checkout, subject, random_bundle(subject), clock, threads) as reference:
                reference.seconds()
                peaks.append(_peak(subject, REFERENCE, {"before": reference.before, "peak": reference.peak_memory()}))
    for way in ways(clock.device):
        answer = ask(
            "lifelike.bench.memory_process", subject, {**asdict(way), "device": clock.device, "threads": threads}
        )
        if "absent" in answer:
            absent.append(
                Absence(f"memory of {subject.network} {subject.resolution}, {way.precision}", answer["absent"])
            )
        else:
            peaks.append(_peak(subject, way, answer))
    return peaks, absent


def _peak(subject: Subject, way: Way, answer: dict[str, Any]) -> MemoryPeak:
    return MemoryPeak(
        network=subject.network,
        resolution=subject.resolution,
        execution=way.execution,
        precision=way.precision,
        before=answer["before"],
        peak=answer["peak"],
        gpu_peak=answer.get("gpu_peak"),
    )
