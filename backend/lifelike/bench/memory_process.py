# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass of one network in a fresh process, for its largest memory.

    python -m lifelike.bench.memory_process < REQUEST

The request is JSON: {"generator": {…} or null, "encoder": {…} or null, "execution": …, "precision": …, "device": …,
"threads": N}. Prints {"before": BYTES, "peak": BYTES, "gpu_peak": BYTES or null}, or {"absent": WORDS}.
"""

from __future__ import annotations

import json
import sys

import torch

from lifelike.bench.contestants import Subject, Way, encoder_subject, generator_subject, pass_of, random_bundle, set_up
from lifelike.bench.figures import Absence
from lifelike.bench.reference_process import peak_memory
from lifelike.networks.encoders import encoder_settings
from lifelike.networks.stylegan2 import GeneratorSettings


def main() -> None:
    """Answer the request on standard input."""
    request = json.load(sys.stdin)
    torch.set_num_threads(request["threads"])
    before = peak_memory()
    bundle = set_up(
        random_bundle(subject := read_subject(request)),
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


def read_subject(request: dict) -> Subject:
    """The network that the request is about."""
    if request["encoder"] is not None:
        return encoder_subject(encoder_settings(request["encoder"]))
    return generator_subject(GeneratorSettings(**request["generator"]))


if __name__ == "__main__":
    main()
