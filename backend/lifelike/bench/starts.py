# SPDX-License-Identifier: GPL-3.0-or-later
"""How long the first picture of a fresh process waits, before anything is compiled and after."""

from __future__ import annotations

import tempfile

from lifelike.bench.contestants import Subject
from lifelike.bench.figures import Absence, Start
from lifelike.bench.fresh_process import ask

PLAIN = "plain"
KINDS = (PLAIN, "first start", "next start")


def measure_starts(subject: Subject, device: str, threads: int) -> tuple[list[Start], list[Absence]]:
    """Every kind of start of one network, one after the other; the compiled code of the first is there for the next.

    Args:
        threads: CPU threads of torch.
    """
    starts: list[Start] = []
    absent: list[Absence] = []
    with tempfile.TemporaryDirectory() as cache:
        for kind in KINDS:
            values = {"accelerated": kind != PLAIN, "device": device, "threads": threads}
            places = {"LIFELIKE_HOME": cache}
            answer = ask("lifelike.bench.start_process", subject, values, places)
            if "absent" in answer:
                absent.append(Absence(f"{kind} of {subject.network} {subject.resolution}", answer["absent"]))
            else:
                eager = starts[0].first if starts and starts[0].kind == PLAIN else None
                waited = answer["set_up"] + answer["first"]
                ratio = None if eager is None else waited / eager
                starts.append(Start(subject.network, subject.resolution, kind, **answer, ratio=ratio))
    return starts, absent
