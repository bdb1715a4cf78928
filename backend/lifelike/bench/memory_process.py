# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass of one network in a fresh process, for its largest memory.

    python -m lifelike.bench.memory_process < REQUEST

Beside the network (`lifelike.bench.fresh_process`) the request has {"execution": …, "precision": …, "device": …,
"threads": N}. Prints {"before": BYTES, "peak": BYTES, "gpu_peak": BYTES or null}, or {"absent": WORDS}.
"""

from __future__ import annotations

import json

import torch

from lifelike.bench.contestants import Way, pass_of, random_bundle, set_up
from lifelike.bench.figures import Absence
from lifelike.bench.fresh_process import asked
from lifelike.bench.reference_process import peak_memory


def main() -> None:
    """Answer the request on standard input."""
    subject, request = asked()
    torch.set_num_threads(request["threads"])
    before = peak_memory()
    bundle = set_up(
        random_bundle(subject),
        Way(request["execution"], request["precision"]),
        request["device"],
    )
    if isinstance(bundle, Absence):
        print(json.dumps({"absent": bundle.why}))
        return
    on_gpu = request["device"] == "cuda"
    pass_of(bundle, subject)()
    if on_gpu:
        torch.cuda.synchronize()
    gpu_peak = torch.cuda.max_memory_allocated() if on_gpu else None
    print(json.dumps({"before": before, "peak": peak_memory(), "gpu_peak": gpu_peak}))


if __name__ == "__main__":
    main()
