# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in an interpreter of its own, isolated from ours, and times networks of a checkout given by path.

    python -I reference_process.py CHECKOUT

Reads one JSON request a line from standard input and answers each with one line of JSON on standard output:

    {"do": "load", "kind": "stylegan2" | "psp", "settings": {…}, "weights": FILE, "inputs": FILE,
     "threads": N, "device": "cpu" | "cuda", "clock": "processor time" | "wall time"}   → {"before": BYTES}
    {"do": "run"}                                                                       → {"seconds": S}
    {"do": "save", "output": FILE}                                                      → {}
    {"do": "memory"}                                                                    → {"peak": BYTES}

An answer {"error": WORDS} is the last one. Weights and inputs are safetensors with the names that the checkout's own
modules have.
"""

from __future__ import annotations

import json
import os
import sys
import time
import types
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

Called = Callable[[Any, dict[str, Any]], Any]
"""Takes the network and its inputs, gives what it makes of them."""


def main() -> None:
    checkout = sys.argv[1]
    # What the checkout prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.path.insert(0, checkout)
    contestant = Contestant()
    for line in sys.stdin:
        request = json.loads(line)
        answer: dict[str, Any]
        try:
            if request["do"] == "load":
                answer = contestant.load(request)
            elif request["do"] == "memory":
                answer = {"peak": peak_memory()}
            elif request["do"] == "save":
                answer = contestant.save(request["output"])
            else:
                answer = {"seconds": contestant.run()}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
        if "error" in answer:
            return


class Contestant:
    """A network of the checkout with weights and inputs."""

    def load(self, request: dict[str, Any]) -> dict[str, Any]:
        import torch
        from safetensors.torch import load_file

        torch.set_num_threads(request["threads"])
        torch.set_grad_enabled(False)
        build, self.call = {"stylegan2": stylegan2, "psp": psp}[request["kind"]](request["settings"])
        before = peak_memory()
        network, device = build(), request["device"]
        # Filters are the checkout's own constants.
        missing, unexpected = network.load_state_dict(load_file(request["weights"]), strict=False)
        if unexpected or [name for name in missing if not name.endswith("resample_filter")]:
            raise ValueError(f"the checkout's network has other tensors, such as {(unexpected or missing)[0]}")
        self.network = network.eval().requires_grad_(False).to(device)
        self.inputs = {name: value.to(device) for name, value in load_file(request["inputs"]).items()}
        self.now = time.process_time if request["clock"] == "processor time" else time.perf_counter
        self.wait = torch.cuda.synchronize if device == "cuda" else lambda: None
        return {"before": before}

    def run(self) -> float:
        self.wait()
        began = self.now()
        self.call(self.network, self.inputs)
        self.wait()
        return self.now() - began

    def save(self, file: str) -> dict[str, Any]:
        from safetensors.torch import save_file

        save_file({"output": self.call(self.network, self.inputs).float().cpu().contiguous()}, file)
        return {}


def stylegan2(settings: dict[str, Any]) -> tuple[Callable[[], Any], Called]:
    """The synthesis network of stylegan2-ada-pytorch, all in fp32, as its CPU path is."""
    from torch_utils.ops import conv2d_gradfix, grid_sample_gradfix
    from training.networks import SynthesisNetwork

    # Both replace functions of torch 1.7 that newer ones lack; without them it computes the same, in torch's own way.
    conv2d_gradfix.enabled = grid_sample_gradfix.enabled = False
    options = {"img_resolution": settings["resolution"], "img_channels": 3, "num_fp16_res": 0}
    options |= {name: settings[name] for name in ("w_dim", "channel_base", "channel_max")}
    return partial(SynthesisNetwork, **options), lambda network, inputs: network(inputs["ws"], noise_mode="const")


def psp(settings: dict[str, Any]) -> tuple[Callable[[], Any], Called]:
    """The encoder of pixel2style2pixel, whose pyramid and heads e4e took over; its codes put together as e4e does."""
    # Its operations for training are compiled for a GPU on import; the encoder uses none of them.
    operations = types.ModuleType("models.stylegan2.op")
    operations.__dict__.update(FusedLeakyReLU=None, fused_leaky_relu=None, upfirdn2d=None)
    sys.modules["models.stylegan2.op"] = operations
    from models.encoders.psp_encoders import GradualStyleEncoder

    def call(network: Any, inputs: dict[str, Any]) -> Any:
        codes = network(inputs["portrait"])
        codes[:, 1:] += codes[:, :1]
        return codes

    options = types.SimpleNamespace(input_nc=3, n_styles=settings["num_ws"])
    return partial(GradualStyleEncoder, 50, "ir_se", options), call


def peak_memory() -> int:
    """Largest resident memory of this process so far, bytes; 0 where the system does not tell."""
    try:
        with Path("/proc/self/status").open() as status:
            # Linux: ru_maxrss would begin at what the process that started this one had.
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        pass
    try:
        import resource
    except ImportError:
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    main()
