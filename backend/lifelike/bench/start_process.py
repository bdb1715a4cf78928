# SPDX-License-Identifier: GPL-3.0-or-later
"""The first two passes of one network in a fresh process.

    python -m lifelike.bench.start_process < REQUEST

Beside the network (`lifelike.bench.fresh_process`) the request has {"accelerated": BOOL, "device": …, "threads": N}.
Prints {"set_up": SECONDS, "first": SECONDS, "second": SECONDS}, wall time; then waits for a compiler at work.
"""

from __future__ import annotations

import json
import time
from itertools import pairwise

import torch

from lifelike.bench.contestants import COMPILE_SECONDS, pass_of, random_bundle
from lifelike.bench.fresh_process import asked


def main() -> None:
    """Answer the request on standard input."""
    subject, request = asked()
    torch.set_num_threads(request["threads"])
    bundle = random_bundle(subject).to(request["device"])
    marks = [time.perf_counter()]
    refresh = lambda: None  # noqa: E731
    if request["accelerated"]:
        from lifelike.execution.acceleration import Acceleration

        refresh = Acceleration(bundle).refresh
    marks.append(time.perf_counter())
    compute = pass_of(bundle, subject)
    for _ in range(2):
        refresh()
        compute()
        if request["device"] == "cuda":
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
    seconds = [after - before for before, after in pairwise(marks)]
    print(json.dumps(dict(zip(("set_up", "first", "second"), seconds, strict=True))))
    if request["accelerated"] and request["device"] == "cpu":
        from lifelike.execution.library import THIS_PROCESS

        THIS_PROCESS.wait(COMPILE_SECONDS)


if __name__ == "__main__":
    main()
