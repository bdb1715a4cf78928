# SPDX-License-Identifier: GPL-3.0-or-later
"""What refinement and tuning bring, per step and per second of processor time, on people kept for testing.

    python benchmarks/inversion.py HEADS [--people 12] [--json FILE] [--plot FILE] [--from-json FILE]

HEADS is a data set with both looks, such as the paired heads. One portrait of each of so many reserved people is
inverted, refined and tuned; measured are how far G_render(w⁺) is from the portrait, how far G_photo(w⁺) is from the
true photo look, and whether it is the same person, told by an identity network that took no part. Prints the table of
docs/inversion.md; needs `pip install 'lifelike[train]'`. --from-json draws and prints what was measured before.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from attrs import define
from torch import Tensor

from lifelike.bundles import Bundle, load_bundle
from lifelike.datasets.pairs import Pairs, load_pairs
from lifelike.devices import set_threads
from lifelike.evaluation.embedder import second_embedder
from lifelike.faces.regions import face_regions
from lifelike.inversion import WeightChange, invert, refine, tune
from lifelike.networks.encoder import Latent
from lifelike.training.losses.reconstruction import pyramid_l1

REFINED = (4, 8, 16, 32, 64)
TOLD_APART = (8, 32)
TUNED = (8, 16, 32)
TUNED_AFTER = 16
WAYS = {
    "refine": "refine: W+ and feature codes",
    "ws": "refine: W+ alone",
    "features": "refine: feature codes alone",
    "tune": f"tune, after refine {TUNED_AFTER}",
}
MEASURES = {
    "inversion_psnr": "G_render(w⁺) to the portrait, dB",
    "decode_psnr": "G_photo(w⁺) to the true photo, dB",
    "identity": "G_photo(w⁺) and the portrait, cosine",
}


@define
class Inverted:
    """One portrait's way: what was reached, and the processor seconds and steps it took."""

    latent: Latent
    change: WeightChange | None = None
    seconds: float = 0.0
    steps: int = 0


class Bench:
    """Inverts and measures the portraits of one bundle."""

    def __init__(self, bundle: Bundle, pairs: Pairs) -> None:
        self.bundle, self.pairs = bundle, pairs
        judge = second_embedder()
        if judge is None:
            sys.exit("The second identity network is not installed.")
        self.judge = judge

    def portrait(self, index: int) -> Tensor:
        return signed(self.pairs.render[index])

    def face(self, index: int) -> Tensor:
        picture = self.pairs.render[index].astype(np.float32) / 255
        return face_regions(picture, self.pairs.landmarks[index]).face

    def one_pass(self, index: int) -> Inverted:
        started = time.process_time()
        return Inverted(invert(self.bundle, self.portrait(index)), None, time.process_time() - started)

    def refined(self, index: int, steps: int, before: Inverted, **rates: float) -> Inverted:
        taken, started = Counter(), time.process_time()
        latent = refine(self.bundle, self.portrait(index), before.latent, steps, taken, self.face(index), **rates)
        return Inverted(latent, None, before.seconds + time.process_time() - started, taken.steps)

    def tuned(self, index: int, steps: int, before: Inverted) -> Inverted:
        taken, started = Counter(), time.process_time()
        change = tune(self.bundle, self.portrait(index), before.latent, steps, taken, self.face(index))
        return Inverted(before.latent, change, before.seconds + time.process_time() - started, taken.steps)

    @torch.inference_mode()
    def measured(self, index: int, inverted: Inverted) -> dict[str, float]:
        """The figures of one portrait."""
        x, truth, latent = self.portrait(index), signed(self.pairs.photo[index]), inverted.latent
        shown, photo = (
            self._network(generator.synthesis, inverted.change)(latent.ws, features=latent.features).clamp(-1, 1)
            for generator in (self.bundle.inverted, self.bundle.photo)
        )
        first, second = self.judge.embed(np.concatenate([levels(photo), self.pairs.render[index : index + 1]]))
        return {
            "seconds": inverted.seconds,
            "steps": inverted.steps,
            "inversion_psnr": psnr(shown, x),
            "inversion_l1": float(pyramid_l1(shown, x, torch.ones_like(x[:, :1]))),
            "decode_psnr": psnr(photo, truth),
            "decode_l1": float(pyramid_l1(photo, truth, torch.ones_like(x[:, :1]))),
            "identity": float(first @ second),
        }

    @staticmethod
    def _network(network: Any, change: WeightChange | None) -> Any:
        return network if change is None else change.added_to(network)


class Counter:
    """Counts the steps that were taken."""

    steps = 0

    def __call__(self, step: int, error: float) -> None:
        self.steps = step


def signed(picture: np.ndarray) -> Tensor:
    """(R, R, 3) uint8 → [1, 3, R, R], −1…1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def levels(picture: Tensor) -> np.ndarray:
    """[1, 3, R, R], −1…1 → (1, R, R, 3) uint8."""
    return ((picture + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def psnr(a: Tensor, b: Tensor) -> float:
    """dB, of values −1…1."""
    return float(-10 * torch.log10(((a - b) / 2).square().mean()))


def ways_of(bench: Bench) -> dict[str, tuple[tuple[int, ...], Callable[[int, int], Inverted]]]:
    """Every way with the numbers of steps to try and what does them: (portrait, steps) → what was reached."""
    once = [bench.one_pass(index) for index in range(len(bench.pairs))]
    pivots = [bench.refined(index, TUNED_AFTER, first) for index, first in enumerate(once)]
    return {
        "refine": ((0, *REFINED), lambda index, steps: bench.refined(index, steps, once[index])),
        "ws": ((0, *TOLD_APART), lambda index, steps: bench.refined(index, steps, once[index], feature_rate=0.0)),
        "features": ((0, *TOLD_APART), lambda index, steps: bench.refined(index, steps, once[index], rate=0.0)),
        "tune": ((0, *TUNED), lambda index, steps: bench.tuned(index, steps, pivots[index])),
    }


def measure(bench: Bench) -> list[dict[str, Any]]:
    """Means over the portraits, and the figures of each, for every way and number of steps."""
    found = []
    for way, (counts, reach) in ways_of(bench).items():
        if way in ("ws", "features") and not bench.one_pass(0).latent.features:
            continue
        for count in counts:
            each = [bench.measured(index, reach(index, count)) for index in range(len(bench.pairs))]
            means = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
            found.append({"way": way, "asked": count, **means, "each": each})
            print(
                f"{way:10} {count:4}  " + "  ".join(f"{name} {value:.4f}" for name, value in means.items()), flush=True
            )
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| | steps asked | taken | processor s | inversion dB | decode to truth dB | identity |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        figures = f"{row['inversion_psnr']:.2f} | {row['decode_psnr']:.3f} | {row['identity']:.4f}"
        lines.append(f"| {WAYS[row['way']]} | {row['asked']} | {row['steps']:.0f} | {row['seconds']:.1f} | {figures} |")
    return "\n".join(lines)


def draw(found: list[dict[str, Any]], file: Path) -> None:
    """Each measure over steps and over processor seconds."""
    from matplotlib.figure import Figure

    canvas = Figure(figsize=(11, 6), layout="constrained")
    grid = canvas.subplots(2, len(MEASURES), sharey="col")
    for row, (over, label) in zip(
        grid, (("steps", "steps taken"), ("seconds", "processor seconds a face")), strict=True
    ):
        for axes, (name, title) in zip(row, MEASURES.items(), strict=True):
            for way, shown in WAYS.items():
                points = [one for one in found if one["way"] == way]
                axes.plot([one[over] for one in points], [one[name] for one in points], "o-", ms=3, lw=1.2, label=shown)
            axes.set_xlabel(label)
            axes.set_title(title, fontsize=10)
            axes.grid(alpha=0.25)
    grid[0, 0].legend(fontsize=7)
    canvas.savefig(file, dpi=110)


def save(file: Path, content: dict[str, Any]) -> None:
    with tempfile.NamedTemporaryFile("w", dir=file.parent, suffix=".json", delete=False, encoding="utf-8") as temporary:
        json.dump(content, temporary, indent=1)
    Path(temporary.name).replace(file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path, nargs="?")
    parser.add_argument("--bundle", default="builtin")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--from-json", type=Path)
    options = parser.parse_args()
    if options.from_json:
        found = json.loads(options.from_json.read_text(encoding="utf-8"))["found"]
    elif options.heads:
        set_threads(options.threads)
        bundle = load_bundle(options.bundle, "cpu")
        pairs = one_of_each(load_pairs(options.heads, bundle.card.resolution).reserved(), options.people)
        found = measure(Bench(bundle, pairs))
    else:
        parser.error("name a data set, or --from-json")
    if options.json and not options.from_json:
        machine = {"machine": platform.machine(), "processors": os.cpu_count(), "torch": torch.__version__}
        people = [int(number) for number in pairs.identity]
        save(options.json, {"bundle": bundle.sha256, "people": people, **machine, "found": found})
    if options.plot:
        draw(found, options.plot)
    print(table(found))


def one_of_each(pairs: Pairs, people: int) -> Pairs:
    """One portrait of each of so many people, evenly chosen, the poses in turn."""
    numbers = np.unique(pairs.identity)
    chosen = numbers[np.linspace(0, len(numbers) - 1, min(people, len(numbers))).astype(int)]
    of_each = [np.flatnonzero(pairs.identity == number) for number in chosen]
    return pairs.select(np.array([indices[turn % len(indices)] for turn, indices in enumerate(of_each)]))


if __name__ == "__main__":
    main()
