# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest memory that a network takes, each time in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import asdict

from lifelike.bench.clock import Clock
from lifelike.bench.contestants import Subject, Way, random_bundle, ways
from lifelike.bench.figures import Absence, MemoryPeak
from lifelike.bench.network_timings import REFERENCE
from lifelike.bench.reference import Reference, kind_of, suits
from lifelike.networks.encoders import encoder_values

PROCESS_SECONDS = 900.0


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
        answer = _in_fresh_process(subject, way, clock.device, threads)
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


def _in_fresh_process(subject: Subject, way: Way, device: str, threads: int) -> dict[str, Any]:
    encoder = subject.card.encoder
    request = {
        "generator": asdict(subject.card.generator) if encoder is None else None,
        "encoder": None if encoder is None else encoder_values(encoder),
        **asdict(way),
        "device": device,
        "threads": threads,
    }
    command = [sys.executable, "-m", "lifelike.bench.memory_process"]
    try:
        done = subprocess.run(
            command, input=json.dumps(request), capture_output=True, text=True, timeout=PROCESS_SECONDS, check=True
        )
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer
    except (OSError, subprocess.SubprocessError, ValueError):
        return {"absent": "Its process did not end well; there may be too little memory."}
