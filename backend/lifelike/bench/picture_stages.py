# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture's whole way with a warm bundle, from its file into its file, stage by stage."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from attrs import evolve

from lifelike.bench.figures import Stage
from lifelike.imaging.files import read_picture, write_picture
from lifelike.worker import Worker
from lifelike_protocol.messages import FaceHint, Settings

WARM_UPS = 2


def time_stages(
    worker: Worker, settings: Settings, picture: Path, hints: tuple[FaceHint, ...], rounds: int
) -> list[Stage]:
    """Median wall time of each stage.

    Args:
        worker: with the bundle in memory or not.
        settings: the bundle and how to work.
        picture: a file with a face.
        hints: where the faces are, for a picture in which none is found; empty: they are looked for.
        rounds: that count.
    """
    taken: dict[str, list[float]] = {}
    for turn in range(WARM_UPS + rounds):
        seconds = _one(worker, settings, picture, hints)
        if turn >= WARM_UPS:
            for stage, value in seconds.items():
                taken.setdefault(stage, []).append(value)
    medians = {stage: statistics.median(values) for stage, values in taken.items()}
    whole = sum(medians.values())
    return [Stage(stage, median, median / whole) for stage, median in medians.items()]


def _one(worker: Worker, settings: Settings, picture: Path, hints: tuple[FaceHint, ...]) -> dict[str, float]:
    began = time.perf_counter()
    frame = evolve(read_picture(picture), faces=hints)
    decoded = time.perf_counter()
    result = worker.work("bench", frame, settings, lambda stage, fraction: None)
    worked = time.perf_counter()
    write_picture(picture.with_name("photo.png"), result.pixels, result.encoding, force=True)
    written = time.perf_counter()
    stages = {stage: seconds for stage, seconds in result.timings.items() if stage != "total"}
    return {"decode": decoded - began, **stages, "encode": written - worked}
