# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything `lifelike bench` measures, one part after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import TypeVar

import torch
from attrs import evolve, frozen

from lifelike.bench.batch_throughput import time_batches
from lifelike.bench.clock import Clock
from lifelike.bench.contestants import Subject, config_f, encoder_subject, generator_subject
from lifelike.bench.drawn_picture import drawn_picture, upright_landmarks
from lifelike.bench.figures import Absence, MemoryPeak, Report, Stage, Start, Throughput
from lifelike.bench.machine import describe
from lifelike.bench.memory import measure_memory
from lifelike.bench.network_timings import time_network
from lifelike.bench.peak import highest, measure_peaks
from lifelike.bench.picture_stages import time_stages
from lifelike.bench.reference import kind_of
from lifelike.bench.starts import measure_starts
from lifelike.bundles import read_card
from lifelike.bundles.registry import find_bundle
from lifelike.commands.enhance_batch import Wish as EnhanceWish
from lifelike.imaging.files import read_picture, write_picture
from lifelike.networks.e4e import E4eSettings
from lifelike.worker import Worker
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, Frame, Settings

DRAWN_SIDE = 1024

Figure = TypeVar("Figure")
Told = Callable[[str], None]
"""Called with what is measured now."""


class Part(str, Enum):
    """What can be measured by itself."""

    NETWORKS = "networks"
    STAGES = "stages"
    BATCHES = "batches"
    MEMORY = "memory"
    STARTS = "starts"


@frozen
class Wish:
    """What to measure.

    references: checkouts to compare with. resolutions: of generators in configuration F. encoders: whether to measure
    encoders too. bundle: whose pictures' way is timed. rounds: that count. pictures: of a batch.
    """

    parts: tuple[Part, ...] = tuple(Part)
    references: tuple[Path, ...] = ()
    resolutions: tuple[int, ...] = (256, 512, 1024)
    encoders: bool = True
    bundle: str = "builtin"
    picture: Path | None = None
    device: str = "cpu"
    rounds: int = 5
    pictures: int = 8


def carry_out(wish: Wish, told: Told = lambda what: None) -> Report:
    """Measure all that is wished.

    Raises:
        LifelikeError: INVALID_SETTING for a reference or a resolution that can't be; what loading the bundle raises.
    """
    for checkout in wish.references:
        kind_of(checkout)
    given = None if wish.picture is None else read_picture(wish.picture)
    card = read_card(find_bundle(wish.bundle))
    subjects = [generator_subject(config_f(check_resolution(resolution))) for resolution in wish.resolutions]
    if wish.encoders:
        subjects += [encoder_subject(settings) for settings in (E4eSettings(), card.encoder) if settings is not None]
    clock = Clock(wish.device, torch.get_num_threads())
    report = Report(machine=describe(wish.device), settings=settings_told(wish, clock))
    if Part.NETWORKS in wish.parts:
        report = with_networks(report, wish, subjects, clock, told)
    if Part.STAGES in wish.parts or Part.BATCHES in wish.parts:
        report = with_pictures(report, wish, given, told)
    if Part.MEMORY in wish.parts:
        report = with_memory(report, wish, subjects, clock, told)
    if Part.STARTS in wish.parts:
        report = with_starts(report, wish, subjects, told)
    return report


def check_resolution(resolution: int) -> int:
    """The resolution itself.

    Raises:
        LifelikeError: INVALID_SETTING for one that no generator has.
    """
    if not 8 <= resolution <= 4096 or resolution & (resolution - 1):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"A generator's resolution is a power of two from 8 to 4096, not {resolution}.",
            "Change --resolution.",
        )
    return resolution


def settings_told(wish: Wish, clock: Clock) -> dict[str, object]:
    """How it was measured."""
    return {
        "device": wish.device,
        "threads": torch.get_num_threads(),
        "networks_by": clock.name,
        "rounds": wish.rounds,
        "bundle": wish.bundle,
    }


def with_networks(report: Report, wish: Wish, subjects: Sequence[Subject], clock: Clock, told: Told) -> Report:
    """The roof, and every network's passes."""
    told("the machine's peak")
    peaks = measure_peaks(wish.device, clock, wish.rounds)
    roof, threads = highest(peaks), torch.get_num_threads()
    timings, absent = of_each(
        subjects, lambda subject: time_network(subject, wish.references, clock, threads, wish.rounds, roof, told)
    )
    return evolve(report, peaks=peaks, timings=timings, absent=report.absent + absent)


def of_each(
    subjects: Sequence[Subject], measure: Callable[[Subject], tuple[list[Figure], list[Absence]]]
) -> tuple[tuple[Figure, ...], tuple[Absence, ...]]:
    """What was measured of all networks, and what could not be."""
    measured = [measure(subject) for subject in subjects]
    return tuple(chain.from_iterable(found for found, _ in measured)), tuple(
        chain.from_iterable(missing for _, missing in measured)
    )


def with_pictures(report: Report, wish: Wish, given: Frame | None, told: Told) -> Report:
    """The stages of one picture, and batches."""
    worker, settings = Worker(wish.device), Settings(bundle=wish.bundle)
    stages: list[Stage] = []
    throughput: list[Throughput] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        pictures, hints, about = pictures_in(folder, wish.pictures, given)
        if Part.STAGES in wish.parts:
            told("a picture's way")
            stages = time_stages(worker, settings, pictures[0], hints, wish.rounds)
        if Part.BATCHES in wish.parts:
            (folder / "photos").mkdir()
            enhance = EnhanceWish(settings, hints, force=True)
            throughput = time_batches(worker, enhance, pictures, folder / "photos", wish.rounds, told)
    settings_told = {**report.settings, "pictures": about}
    return evolve(report, settings=settings_told, stages=tuple(stages), throughput=tuple(throughput))


def pictures_in(folder: Path, count: int, given: Frame | None) -> tuple[list[Path], tuple[FaceHint, ...], str]:
    """Files with pictures, where their faces are (nothing: they are looked for), and both in words.

    given: what all of them show; None: drawn ones.
    """
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        frame = given or Frame(drawn_picture(DRAWN_SIDE, number))
        write_picture(path, frame.pixels, frame.encoding)
    if given is None:
        hints = (FaceHint("face", upright_landmarks(DRAWN_SIDE)),)
        return paths, hints, f"{DRAWN_SIDE} × {DRAWN_SIDE}, landmarks sent along"
    height, width = given.pixels.shape[:2]
    return paths, (), f"{width} × {height}, faces looked for"


def with_memory(report: Report, wish: Wish, subjects: Sequence[Subject], clock: Clock, told: Told) -> Report:
    """Every network's memory."""

    def measure(subject: Subject) -> tuple[list[MemoryPeak], list[Absence]]:
        told(f"memory of {subject.network} {subject.resolution}")
        return measure_memory(subject, wish.references, clock, torch.get_num_threads())

    peaks, absent = of_each(subjects, measure)
    return evolve(report, memory=peaks, absent=report.absent + absent)


def with_starts(report: Report, wish: Wish, subjects: Sequence[Subject], told: Told) -> Report:
    """Every network's first passes."""

    def measure(subject: Subject) -> tuple[list[Start], list[Absence]]:
        told(f"starts of {subject.network} {subject.resolution}")
        return measure_starts(subject, wish.device, torch.get_num_threads())

    starts, absent = of_each(subjects, measure)
    return evolve(report, starts=starts, absent=report.absent + absent)
