# SPDX-License-Identifier: GPL-3.0-or-later
"""Times networks in every way that they can be run, beside the reference where it is given."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from torch import Tensor

from lifelike.bench.clock import Clock, take_turns
from lifelike.bench.contestants import Subject, Way, pass_of, prepared, random_bundle, ways
from lifelike.bench.figures import Absence, Timing
from lifelike.bench.reference import Reference, deviation, kind_of, suits

REFERENCE = Way("reference", "fp32")


def time_network(
    subject: Subject,
    references: Sequence[Path],
    clock: Clock,
    threads: int,
    rounds: int,
    roof: dict[str, float],
    told: Callable[[str], None] = lambda what: None,
) -> tuple[list[Timing], list[Absence]]:
    """Every way of one network, taking turns.

    Args:
        references: checkouts; those that have this network take part.
        roof: operations a second that each precision reaches here.
        told: called with what is timed now.

    Raises:
        LifelikeError: INVALID_SETTING for a reference that doesn't work.
    """
    bundle = random_bundle(subject)
    passes: dict[Way, Callable[[], Tensor]] = {}
    absent: list[Absence] = []
    for way in ways(clock.device):
        made = prepared(bundle, way, clock.device)
        if isinstance(made, Absence):
            absent.append(Absence(f"{subject.network} {subject.resolution}, {made.what}", made.why))
        else:
            passes[way] = pass_of(made, subject)
    plain = passes[Way("plain", "fp32")]().cpu()
    deviations = {way: deviation(run(), plain) for way, run in passes.items()}
    with ExitStack() as stack:
        contestants: dict[Way, Callable[[], float]] = {way: partial(clock.seconds, run) for way, run in passes.items()}
        for checkout in references:
            if suits(kind_of(checkout), subject):
                reference = stack.enter_context(Reference(checkout, subject, bundle, clock, threads))
                deviations[REFERENCE] = deviation(reference.output(), plain)
                contestants = {REFERENCE: reference.seconds, **contestants}
        names = {_words(subject, way): contestant for way, contestant in contestants.items()}
        taken = take_turns(names, rounds, told)
    seconds = {way: taken[_words(subject, way)] for way in contestants}
    operations = subject.operations()
    return [_timing(subject, way, seconds, operations, roof, deviations[way]) for way in seconds], absent


def _words(subject: Subject, way: Way) -> str:
    return f"{subject.network} {subject.resolution}, {way.execution}, {way.precision}"


def _timing(
    subject: Subject,
    way: Way,
    seconds: dict[Way, list[float]],
    operations: int,
    roof: dict[str, float],
    difference: float,
) -> Timing:
    median = statistics.median(seconds[way])
    beside = statistics.median(seconds[REFERENCE]) if REFERENCE in seconds else None
    return Timing(
        network=subject.network,
        resolution=subject.resolution,
        execution=way.execution,
        precision=way.precision,
        seconds=median,
        fastest=min(seconds[way]),
        gflop=operations / 1e9,
        peak_share=operations / median / roof[way.precision] if way.precision in roof else None,
        ratio=None if beside is None else beside / median,
        deviation=difference,
    )
