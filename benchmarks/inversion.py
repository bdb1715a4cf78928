# SPDX-License-Identifier: GPL-3.0-or-later
"""What refinement and tuning bring, per step and per second of processor time, on people kept for testing.

    python benchmarks/inversion.py HEADS [--people 12] [--json FILE] [--plot FILE] [--from-json FILE]

HEADS is a data set with both looks, such as the paired heads. One portrait of each of so many reserved people is
inverted, refined and tuned; measured are how far G_render(w⁺) is from the portrait, how far G_photo(w⁺) is from the
true photo look, and whether it is the same person, told by an identity network that took no part. Prints the table of
docs/inversion.md; needs `pip install 'lifelike[train]'`. --from-json draws and prints what was measured before;
a run that was interrupted goes on from its --json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from attrs import define, evolve
from torch import Tensor

from lifelike.bundles import Bundle, load_bundle
from lifelike.datasets.pairs import Pairs, load_pairs
from lifelike.devices import set_threads
from lifelike.evaluation.embedder import second_embedder
from lifelike.faces.regions import face_regions
from lifelike.inversion import WeightChange, descent, invert, refine, tune
from lifelike.inversion.descent import BestSoFar
from lifelike.inversion.tuning import tuned_names
from lifelike.networks.encoder import Latent
from lifelike.training.losses.reconstruction import pyramid_l1

REFINED = (4, 8, 16, 32)
TOLD_APART = (8, 16)
TUNED = (8, 16)
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
class Reached:
    """Where one portrait's descent is when asked for so many steps, and the processor seconds that took."""

    latent: Latent
    change: WeightChange | None = None
    seconds: float = 0.0
    steps: int = 0


class Recorder(BestSoFar):
    """Also keeps what a descent would have given had it been asked for fewer steps."""

    wanted: tuple[int, ...] = ()
    kept: ClassVar[dict[int, tuple[list[Tensor], float]]] = {}

    def __init__(self, values: Sequence[Tensor]) -> None:
        super().__init__(values)
        self._step, self._started = 0, time.process_time()
        Recorder.kept = {}

    def see(self, loss: Tensor, error: Tensor) -> float:
        reached = super().see(loss, error)
        now = ([value.clone() for value in self.values], time.process_time() - self._started)
        # One that loses its patience is what it is for every later count.
        Recorder.kept |= {count: now for count in self.wanted if count >= self._step}
        self._step += 1
        return reached


@contextmanager
def recording(*wanted: int) -> Iterator[dict[int, tuple[list[Tensor], float]]]:
    """The best values after each of so many steps, and the seconds they took; filled when the block ends."""
    kept: dict[int, tuple[list[Tensor], float]] = {}
    Recorder.wanted, descent.BestSoFar = wanted, Recorder
    try:
        yield kept
        kept.update(Recorder.kept)
    finally:
        descent.BestSoFar = BestSoFar


class Bench:
    """Inverts and measures the portraits of one bundle."""

    def __init__(self, bundle: Bundle, pairs: Pairs) -> None:
        self.bundle, self.pairs = bundle, pairs
        judge = second_embedder()
        if judge is None:
            sys.exit("The second identity network is not installed.")
        self.judge = judge

    def measure(self, index: int) -> list[dict[str, Any]]:
        """The figures of one portrait, every way."""
        x = signed(self.pairs.render[index])
        picture = self.pairs.render[index].astype(np.float32) / 255
        face = face_regions(picture, self.pairs.landmarks[index]).face
        started = time.process_time()
        once = Reached(invert(self.bundle, x), None, time.process_time() - started)
        ways = {"refine": [once, *self.refined(x, face, once, REFINED)]}
        if once.latent.features:
            ways["ws"] = [once, *self.refined(x, face, once, TOLD_APART, feature_rate=0.0)]
            ways["features"] = [once, *self.refined(x, face, once, TOLD_APART, rate=0.0)]
        pivot = next(one for one in reversed(ways["refine"]) if one.steps <= TUNED_AFTER)
        ways["tune"] = [evolve(pivot, steps=0), *self.tuned(x, face, pivot)]
        return [{"way": way, **self.figures(index, x, one)} for way, reached in ways.items() for one in reached]

    def refined(
        self, x: Tensor, face: Tensor, once: Reached, counts: tuple[int, ...], **rates: float
    ) -> Iterator[Reached]:
        with recording(*counts) as kept:
            refine(self.bundle, x, once.latent, max(counts), faces=face, **rates)
        for steps, (values, seconds) in kept.items():
            values = list(values)
            ws = values.pop(0) if rates.get("rate", 1) else once.latent.ws
            moved = dict(zip(once.latent.features, values, strict=True)) if values else once.latent.features
            yield Reached(Latent(ws, moved), None, once.seconds + seconds, steps)

    def tuned(self, x: Tensor, face: Tensor, pivot: Reached) -> Iterator[Reached]:
        with recording(*TUNED) as kept:
            tune(self.bundle, x, pivot.latent, max(TUNED), face=face)
        network = self.bundle.inverted.synthesis
        for steps, (values, seconds) in kept.items():
            named = zip(tuned_names(network), values, strict=True)
            change = WeightChange({name: value - network.get_parameter(name) for name, value in named})
            yield Reached(pivot.latent, change, pivot.seconds + seconds, steps)

    @torch.inference_mode()
    def figures(self, index: int, x: Tensor, reached: Reached) -> dict[str, float]:
        truth, latent = signed(self.pairs.photo[index]), reached.latent
        networks = [generator.synthesis for generator in (self.bundle.inverted, self.bundle.photo)]
        if reached.change is not None:
            networks = [reached.change.added_to(network) for network in networks]
        shown, photo = (network(latent.ws, features=latent.features) for network in networks)
        difference = (x + photo - shown).clamp(-1, 1)
        shown, photo = shown.clamp(-1, 1), photo.clamp(-1, 1)
        first, second = self.judge.embed(np.concatenate([levels(photo), self.pairs.render[index : index + 1]]))
        return {
            "steps": reached.steps,
            "seconds": reached.seconds,
            "inversion_psnr": psnr(shown, x),
            "inversion_l1": float(pyramid_l1(shown, x, torch.ones_like(x[:, :1]))),
            "decode_psnr": psnr(photo, truth),
            "difference_psnr": psnr(difference, truth),
            "decode_l1": float(pyramid_l1(photo, truth, torch.ones_like(x[:, :1]))),
            "identity": float(first @ second),
        }


def signed(picture: np.ndarray) -> Tensor:
    """(R, R, 3) uint8 → [1, 3, R, R], −1…1."""
    return torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1


def levels(picture: Tensor) -> np.ndarray:
    """[1, 3, R, R], −1…1 → (1, R, R, 3) uint8."""
    return ((picture + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def psnr(a: Tensor, b: Tensor) -> float:
    """dB, of values −1…1."""
    return float(-10 * torch.log10(((a - b) / 2).square().mean()))


def means(each: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Over the portraits, for every way and number of steps that all of them took."""
    found = []
    for way in WAYS:
        of_way = [one for one in each if one["way"] == way]
        for steps in sorted({one["steps"] for one in of_way}):
            rows = [one for one in of_way if one["steps"] == steps]
            if len(rows) == max(sum(one["steps"] == 0 for one in of_way), 1):
                numbers = {name: float(np.mean([row[name] for row in rows])) for name in rows[0] if name != "way"}
                found.append({"way": way, **numbers})
    return found


def table(found: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| | steps | processor s | inversion dB | decode to truth dB | difference to truth dB | identity |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in found:
        decibels = f"{row['inversion_psnr']:.2f} | {row['decode_psnr']:.3f} | {row['difference_psnr']:.3f}"
        figures = f"{decibels} | {row['identity']:.4f}"
        lines.append(f"| {WAYS[row['way']]} | {row['steps']:.0f} | {row['seconds']:.1f} | {figures} |")
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


def before(file: Path | None, sha256: str) -> list[dict[str, Any]]:
    """What an interrupted run of the same bundle has measured."""
    if file is None or not file.exists():
        return []
    content = json.loads(file.read_text(encoding="utf-8"))
    return content["each"] if content["bundle"] == sha256 else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("heads", type=Path, nargs="?")
    parser.add_argument("--bundle", default="builtin")
    parser.add_argument("--people", type=int, default=12)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cache", type=Path, help="a folder for decoded pictures, so that the next run starts at once")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--from-json", type=Path)
    options = parser.parse_args()
    if options.from_json:
        each = json.loads(options.from_json.read_text(encoding="utf-8"))["each"]
    elif options.heads:
        set_threads(options.threads)
        bundle = load_bundle(options.bundle, "cpu")
        pairs = load_pairs(options.heads, bundle.card.resolution, options.cache).reserved()
        pairs = one_of_each(pairs, options.people)
        bench, each = Bench(bundle, pairs), before(options.json, bundle.sha256)
        for index, number in enumerate(pairs.identity):
            if any(row["person"] == number for row in each):
                continue
            each += [{"person": int(number), **row} for row in bench.measure(index)]
            print(f"{index + 1} of {len(pairs)}", file=sys.stderr)
            if options.json:
                machine = {"machine": platform.machine(), "processors": os.cpu_count(), "torch": torch.__version__}
                save(options.json, {"bundle": bundle.sha256, **machine, "each": each})
    else:
        parser.error("name a data set, or --from-json")
    found = means(each)
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
