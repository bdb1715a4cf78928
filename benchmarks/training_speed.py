# SPDX-License-Identifier: GPL-3.0-or-later
"""How many pictures a second `lifelike train photo` and `render` learn from, beside the reference implementation.

    python benchmarks/training_speed.py [--reference CHECKOUT] [--resolution 128] [--batch 8] [-o FILE.json]

CHECKOUT is a clone of stylegan2-ada-pytorch, which is imported and not changed. All contestants have networks of the
same widths and the same batch, R1 every 16 updates, path length every 4 on half of the batch, augmentations with the
same probability, the same optimiser and an averaged generator, and take turns, phase by phase, in one process. What is
told is the time of one update: generator + path length / 4 + discriminator + R1 / 16 + average, of medians over the
rounds. Processor time is used with one CPU thread, so that other work on the machine does not count; else wall time.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import evolve
from PIL import Image

from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.networks.weights import save_weights
from lifelike.training.adversarial import AdversarialTask
from lifelike.training.average import update_average
from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.photo.task import PhotoTask
from lifelike.training.portraits import PortraitData
from lifelike.training.processes import start_fabric
from lifelike.training.render.settings import RenderSettings, TermSettings
from lifelike.training.render.task import RenderTask
from lifelike.training.task import Moment, RunSettings

PATH_EVERY, R1_EVERY = 4, 16
SHARES = {"generator": 1.0, "path length": 1 / PATH_EVERY, "discriminator": 1.0, "R1": 1 / R1_EVERY, "average": 1.0}
"""Phases of an update, and how often each comes in one."""
ONLY_ADVERSARIAL = TermSettings(identity=0.0, geometry=0.0, colour=0.0, structure=0.0, features=0.0)
Phases = dict[str, Callable[[], object]]


def main() -> None:
    """Measure and print."""
    options = read_options()
    torch.set_num_threads(options.threads)
    contestants: dict[str, Phases] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_material(folder, sizes(options))
        if options.reference:
            sys.path.insert(0, str(options.reference.resolve()))
            contestants["reference, fp32"] = reference(options)
        for precision in options.precisions.split(","):
            contestants |= ours(folder, options, precision)
        seconds = measure(contestants, options)
    report = {"machine": machine(options), "settings": settings_told(options), "results": results(seconds, options)}
    print_table(report)
    if options.output:
        options.output.write_text(json.dumps(report, indent=1) + "\n")


def read_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="clone of stylegan2-ada-pytorch")
    parser.add_argument("--resolution", type=int, default=128)
    parser.add_argument("--channel-base", type=int, default=4096)
    parser.add_argument("--channel-max", type=int, default=128)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--augment", type=float, default=0.2, help="probability of each augmentation")
    parser.add_argument("--rounds", type=int, default=5, help="after one that warms up")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--precisions", default="32-true,bf16-mixed", help="of ours")
    parser.add_argument("--compile", action="store_true", help="compile ours")
    parser.add_argument("-o", "--output", type=Path, help="JSON with all figures")
    return parser.parse_args()


def sizes(options: argparse.Namespace) -> GeneratorSettings:
    """Widths of all contestants; eight mapping layers would hardly matter."""
    return GeneratorSettings(options.resolution, options.channel_base, options.channel_max, 128, 128, 4)


def settings_told(options: argparse.Namespace) -> dict[str, Any]:
    """What was the same for all."""
    names = ("resolution", "channel_base", "channel_max", "batch", "augment", "rounds")
    return {**{name: getattr(options, name) for name in names}, "path_every": PATH_EVERY, "r1_every": R1_EVERY}


# -- contestants -----------------------------------------------------------------------------------------


def write_material(folder: Path, network: GeneratorSettings) -> None:
    """Pictures of noise, and networks with random weights, in the formats trainings read."""
    (folder / "pictures").mkdir()
    for index in range(16):
        pixels = np.random.default_rng(index).integers(0, 255, (network.resolution, network.resolution, 3), np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{index}.png")
    save_weights(folder / "start" / "photo.safetensors", Generator(network), "generator", {})
    save_weights(folder / "start" / "discriminator.safetensors", Discriminator(network), "discriminator", {})
    save_weights(folder / "identity.safetensors", IdentityNetwork(), "identity", {})


def ours(folder: Path, options: argparse.Namespace, precision: str) -> dict[str, Phases]:
    """`train photo`, and `train render` without and with the terms that hold the copy to its parent."""
    run = RunSettings(
        batch=options.batch,
        precision=precision,
        accelerator=options.device,
        devices="1",
        threads=options.threads,
        compile=options.compile,
    )
    data = PortraitData((str(folder / "pictures"),), reserved="")
    start = str(folder / "start")
    render = RenderSettings(
        start=start, look="", data=data, run=run, terms=ONLY_ADVERSARIAL, identity=str(folder / "identity.safetensors")
    )
    fabric = start_fabric(run)
    tasks: dict[str, AdversarialTask] = {
        "train photo": PhotoTask(PhotoSettings(data=data, network=sizes(options), run=run), fabric),
        "train render, adversarial term only": RenderTask(render, fabric),
        "train render, all terms": RenderTask(evolve(render, terms=TermSettings()), fabric),
    }
    named = {"32-true": "fp32", "bf16-mixed": "bf16", "16-mixed": "fp16"}.get(precision, precision)
    return {f"{name}, {named}": phases_of(task, options) for name, task in tasks.items()}


def phases_of(task: AdversarialTask, options: argparse.Namespace) -> Phases:
    """The phases of one of our tasks; weights are measured every hundred updates and so not here."""
    task.strength.p = options.augment
    moment, fakes = Moment(0, 0, 0.0), []

    def generator() -> None:
        task.discriminator.requires_grad_(False)
        task.free_generator(moment)
        fakes[:] = task.update_generator(moment, {})

    def discriminator() -> None:
        task.free_discriminator(moment)
        task.update_discriminator(fakes, {})

    return {
        "generator": generator,
        "path length": lambda: task.regularise_generator({}),
        "discriminator": discriminator,
        "R1": lambda: task.regularise_discriminator({}),
        "average": lambda: update_average(task.average, task.generator, 0, options.batch),
    }


def reference(options: argparse.Namespace) -> Phases:
    """The reference's own networks, losses and augmentations, in the order of its training loop."""
    from torch_utils.ops import conv2d_gradfix, grid_sample_gradfix
    from training.augment import AugmentPipe
    from training.loss import StyleGAN2Loss
    from training.networks import Discriminator as ReferenceDiscriminator
    from training.networks import Generator as ReferenceGenerator

    # Both replace functions of torch 1.7 that newer ones lack; without them it computes the same, in torch's own way.
    conv2d_gradfix.enabled = grid_sample_gradfix.enabled = False
    network, device = sizes(options), torch.device(options.device)
    widths = {"channel_base": network.channel_base, "channel_max": network.channel_max}
    common = {"c_dim": 0, "img_resolution": network.resolution, "img_channels": 3}
    generator = ReferenceGenerator(
        z_dim=network.z_dim,
        w_dim=network.w_dim,
        mapping_kwargs={"num_layers": network.mapping_layers},
        synthesis_kwargs=widths,
        **common,
    ).to(device)
    discriminator = ReferenceDiscriminator(epilogue_kwargs={"mbstd_group_size": 4}, **widths, **common).to(device)
    changes = ("xflip", "rotate90", "xint", "scale", "rotate", "aniso", "xfrac")
    changes += ("brightness", "contrast", "lumaflip", "hue", "saturation")
    augment = AugmentPipe(**dict.fromkeys(changes, 1)).train().requires_grad_(False).to(device)
    augment.p.copy_(torch.tensor(options.augment))
    gamma = 0.0002 * network.resolution**2 / options.batch
    loss = StyleGAN2Loss(device, generator.mapping, generator.synthesis, discriminator, augment, r1_gamma=gamma)
    average = copy.deepcopy(generator).eval().requires_grad_(False)
    for module in (generator, discriminator):
        module.train().requires_grad_(False)

    def phase(module: torch.nn.Module, every: int, names: tuple[str, str]) -> Iterator[Callable[[], None]]:
        share = every / (every + 1)
        optimiser = torch.optim.Adam(module.parameters(), 0.0025 * share, betas=(0.0, 0.99**share), eps=1e-8)
        for name, gain in zip(names, (1, every), strict=True):
            yield lambda name=name, gain=gain: update(module, optimiser, name, gain)

    def update(module: torch.nn.Module, optimiser: torch.optim.Optimizer, name: str, gain: int) -> None:
        real = torch.randint(0, 256, (options.batch, 3, network.resolution, network.resolution), device=device)
        codes, labels = torch.randn(options.batch, network.z_dim, device=device), torch.zeros(options.batch, 0)
        optimiser.zero_grad(set_to_none=True)
        module.requires_grad_(True)
        loss.accumulate_gradients(name, real.float() / 127.5 - 1, labels, codes, labels, True, gain)
        module.requires_grad_(False)
        for parameter in module.parameters():
            if parameter.grad is not None:
                torch.nan_to_num(parameter.grad, nan=0, posinf=1e5, neginf=-1e5, out=parameter.grad)
        optimiser.step()

    def move_average() -> None:
        with torch.no_grad():
            for kept, new in zip(average.parameters(), generator.parameters(), strict=True):
                kept.copy_(new.lerp(kept, 0.99))
            for kept, new in zip(average.buffers(), generator.buffers(), strict=True):
                kept.copy_(new)

    generator_main, generator_penalty = phase(generator, PATH_EVERY, ("Gmain", "Greg"))
    discriminator_main, discriminator_penalty = phase(discriminator, R1_EVERY, ("Dmain", "Dreg"))
    return {
        "generator": generator_main,
        "path length": generator_penalty,
        "discriminator": discriminator_main,
        "R1": discriminator_penalty,
        "average": move_average,
    }


# -- measuring -------------------------------------------------------------------------------------------


def measure(contestants: dict[str, Phases], options: argparse.Namespace) -> dict[str, dict[str, list[float]]]:
    """Seconds of each phase of each contestant, taking turns; the first round only warms up."""
    seconds: dict[str, dict[str, list[float]]] = {name: {phase: [] for phase in SHARES} for name in contestants}
    for turn in range(options.rounds + 1):
        for phase in SHARES:
            for name, phases in contestants.items():
                taken = timed(phases[phase], options)
                if turn > 0:
                    seconds[name][phase].append(taken)
        print(f"round {turn} of {options.rounds}", file=sys.stderr, flush=True)
    return seconds


def timed(action: Callable[[], object], options: argparse.Namespace) -> float:
    """Seconds that the action takes: processor time of one thread, or wall time."""
    if options.device == "cuda":
        torch.cuda.synchronize()
    clock = time.process_time if options.threads == 1 and options.device == "cpu" else time.perf_counter
    began = clock()
    action()
    if options.device == "cuda":
        torch.cuda.synchronize()
    return clock() - began


def results(seconds: dict[str, dict[str, list[float]]], options: argparse.Namespace) -> list[dict[str, Any]]:
    """A row for each contestant."""
    rows = []
    for name, phases in seconds.items():
        medians = {phase: statistics.median(values) for phase, values in phases.items()}
        update = sum(SHARES[phase] * median for phase, median in medians.items())
        rows.append({"name": name, "pictures_per_second": options.batch / update, "phases": medians})
    for row in rows:
        if options.reference:
            row["ratio"] = row["pictures_per_second"] / rows[0]["pictures_per_second"]
    return rows


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """What it was measured on."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        processor = lines[0].partition(":")[2].strip() if lines else processor
    device = torch.cuda.get_device_name() if options.device == "cuda" else processor
    return {
        "device": device,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": options.threads,
        "clock": "processor time" if options.threads == 1 and options.device == "cpu" else "wall time",
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def print_table(report: dict[str, Any]) -> None:
    """As text."""
    print(", ".join(f"{key} {value}" for key, value in {**report["machine"], **report["settings"]}.items()))
    print(f"{'':42}{'pictures/s':>11}{'ratio':>7}  seconds: " + ", ".join(SHARES))
    for row in report["results"]:
        phases = " ".join(f"{row['phases'][phase]:7.3f}" for phase in SHARES)
        ratio = f"{row['ratio']:7.2f}" if "ratio" in row else " " * 7
        print(f"{row['name']:42}{row['pictures_per_second']:11.3f}{ratio}  {phases}")


if __name__ == "__main__":
    main()
