# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the evaluation's judge: render look or photo look?

``python -m lifelike.training.look_classifier --pairs DIR --out FILE.safetensors --minutes M``

What a transfer must change is skin, eyes and hair, so shortcuts are taken away from both classes alike: blur, noise,
re-sampling, JPEG, colour, brightness and gamma are drawn at random, and the background is taken from either look or
from neither. The judge is trained on the training identities only, and never used in training a bundle. Both looks are
synthetic: what it calls a photo looks like this set's photo look.
"""

from __future__ import annotations

import io
from collections import deque
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as functional
import typer
from PIL import Image
from rich.console import Console
from torch import Tensor

from lifelike.datasets.pairs import Pairs, face_masks, load_pairs
from lifelike.evaluation.recognition import area_under_curve
from lifelike.networks.look_classifier import LookClassifier
from lifelike.networks.weights import save_weights
from lifelike.training.command import run_command
from lifelike.training.disturbance import (
    add_noise,
    blur,
    box_matrix,
    coarsen,
    jitter_colour,
    random_backdrops,
    similarity_matrices,
    soften,
    warp,
)
from lifelike.training.loop import train_for, warm_cosine

RESOLUTION = 128
POOL = 24
"""Drawn batches kept for being seen again."""


class LookSampler:
    """Draws training batches, half of each look, with nothing but the face's rendering to tell them apart."""

    def __init__(self, pairs: Pairs) -> None:
        looks = [torch.from_numpy(look).permute(0, 3, 1, 2).contiguous() for look in (pairs.render, pairs.photo)]
        self.looks = torch.stack(looks)  # (2, N, 3, R, R)
        outline = torch.from_numpy(face_masks(pairs.landmarks, pairs.resolution, forehead=0.35))[:, None]
        self.masks = torch.cat([soften(part) for part in torch.split(outline, 64)])

    def draw(self, count: int, network: LookClassifier, force: float = 1.0) -> tuple[Tensor, Tensor]:
        """Inner faces (count, 3, S, S) −1…1 and labels (count,), 1: photo look; ``force`` of disturbances 0…1."""
        size = network.settings["input_size"]
        chosen, look = torch.randint(self.looks.shape[1], (count,)), torch.arange(count) % 2
        behind = torch.randint(2, (count,))
        stacked = torch.cat([self.looks[look, chosen], self.looks[behind, chosen], self.masks[chosen]], 1)
        matrices = similarity_matrices(count, 8, (0.9, 1.15), 0.06) @ box_matrix(network.settings["box"])
        seen = warp(stacked.float() / 255, matrices, size)
        backdrops = torch.where(torch.rand(count, 1, 1, 1) < 0.35, random_backdrops(count, size), seen[:, 3:6])
        # The mask is used on every picture, also where both sides are the same look, so that its edge tells nothing.
        pictures = seen[:, 6:] * seen[:, :3] + (1 - seen[:, 6:]) * backdrops
        pictures = jitter_colour(pictures, 0.04 * force, 0.35 * force, 0.25 * force, 0.2 * force)
        pictures = coarsen(blur(pictures, most=1.5, share=0.5 * force), share=0.4 * force, least=40)
        return compress(add_noise(pictures, most=0.06 * force), share=0.4 * force) * 2 - 1, look.float()


def compress(pictures: Tensor, share: float = 0.4) -> Tensor:
    """JPEG of quality 40…95 on this share of (N, 3, H, W) pictures 0…1."""
    result = pictures.clone()
    for index in torch.nonzero(torch.rand(len(pictures)) < share).flatten().tolist():
        data = io.BytesIO()
        levels = (pictures[index] * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
        Image.fromarray(levels).save(data, "JPEG", quality=int(torch.randint(40, 96, ())))
        result[index] = torch.from_numpy(np.array(Image.open(data))).permute(2, 0, 1).float() / 255
    return result


@torch.no_grad()
def judge(network: LookClassifier, pictures: np.ndarray) -> np.ndarray:
    """(N, R, R, 3) uint8 → logits (N,), positive: photo look."""
    network.eval()
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    parts = [network(part.float() / 127.5 - 1) for part in torch.split(tensor, 64)]
    return torch.cat(parts).numpy()


def measure(network: LookClassifier, pairs: Pairs, sampler: LookSampler | None = None) -> dict[str, float]:
    """Area under the ROC curve between the looks as they are and, with a sampler, under all disturbances."""
    render, photo = judge(network, pairs.render), judge(network, pairs.photo)
    measured = {
        "pictures": float(2 * len(pairs)),
        "roc_auc": area_under_curve(photo, render),
        "photo_called_photo": float(np.mean(photo > 0)),
        "render_called_photo": float(np.mean(render > 0)),
    }
    if sampler is not None:
        with torch.no_grad():
            batches = [sampler.draw(64, network) for _ in range(8)]
            logits = torch.cat([network.judge_crops(crops) for crops, _ in batches]).numpy()
        labels = torch.cat([label for _, label in batches]).numpy() > 0
        measured["disturbed_roc_auc"] = area_under_curve(logits[labels], logits[~labels])
    return measured


def train(
    pairs: Path,
    out: Path,
    minutes: float,
    seed: int = 0,
    batch: int = 32,
    peak_rate: float = 2e-3,
    cache: Path | None = None,
    console: Console | None = None,
) -> dict[str, float]:
    """Train, save to ``out`` (fp16) and return what `measure` gives on the reserved identities.

    Raises:
        LifelikeError: INVALID_FILE for an unreadable set or a foreign checkpoint.
    """
    console = console or Console()
    torch.manual_seed(seed)
    everything = load_pairs(pairs, RESOLUTION, cache)
    sampler = LookSampler(everything.training())
    network = LookClassifier()
    optimiser = torch.optim.AdamW(network.parameters(), lr=peak_rate, weight_decay=0.02)
    drawn: deque[tuple[Tensor, Tensor]] = deque(maxlen=POOL)

    def step(fraction: float) -> dict[str, float]:
        for group in optimiser.param_groups:
            group["lr"] = warm_cosine(fraction, peak_rate)
        network.train()
        # Drawing costs more than learning, so most batches are seen a few times. Disturbances grow: the difference is
        # learnt on clean pictures, then held on to on disturbed ones.
        if len(drawn) < POOL or torch.rand(()) < 0.4:
            drawn.append(sampler.draw(batch, network, force=min(1.0, fraction / 0.5)))
        crops, looks = drawn[int(torch.randint(len(drawn), ()))]
        if torch.rand(()) < 0.5:
            crops = crops.flip(3)
        with torch.autocast("cpu", torch.bfloat16):
            logits = network.judge_crops(crops.contiguous(memory_format=torch.channels_last))
        loss = functional.binary_cross_entropy_with_logits(logits.float(), looks * 0.96 + 0.02)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return {"cross_entropy": loss.item(), "right": ((logits > 0) == (looks > 0)).float().mean().item()}

    checkpoint = out.with_suffix(".checkpoint")
    steps = train_for(minutes, step, {"network": network, "optimiser": optimiser}, checkpoint, seed, console)
    reserved = everything.reserved()
    card: dict[str, object] = {"seed": seed, "minutes": minutes, "steps": steps}
    save_weights(out, network, "look_classifier", card, half=True)
    measured = measure(network, reserved, LookSampler(reserved))
    save_weights(out, network, "look_classifier", {**card, "measured": measured}, half=True)
    checkpoint.unlink(missing_ok=True)
    return measured


def main(
    pairs: Annotated[Path, typer.Option(help="Folder of the paired heads (index.jsonl).")],
    out: Annotated[Path, typer.Option(help="The network is written here (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="Processor time to spend.")] = 10.0,
    seed: int = 0,
    threads: Annotated[int, typer.Option(help="Processor threads; 0: all.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded pictures.")] = None,
) -> None:
    """Train the look classifier and report how well it parts the looks of the reserved identities."""
    if threads:
        torch.set_num_threads(threads)
    console = Console()
    measured = train(pairs, out, minutes, seed, cache=cache, console=console)
    for name, value in measured.items():
        console.print(f"{name:32} {value:.4f}", highlight=False)


if __name__ == "__main__":
    run_command(main)
