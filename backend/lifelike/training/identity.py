# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the identity network: ArcFace over the training identities, both looks of a person being one class.

``python -m lifelike.training.identity --pairs DIR --out FILE.safetensors --minutes M``

Look, light, background and camera must not carry identity: pictures are tinted, blurred, grained, turned and mirrored,
and mostly set before another background. Checked on the reserved identities, which are never trained on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as functional
import typer
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn

from lifelike.datasets.pairs import Pairs, face_masks, load_pairs
from lifelike.evaluation.recognition import rank_one, separation
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.weights import save_weights
from lifelike.training.augmentation import (
    add_noise,
    blur,
    box_matrix,
    jitter_colour,
    random_backdrops,
    similarity_matrices,
    soften,
    warp,
)
from lifelike.training.command import run_command
from lifelike.training.loop import Stateful, train_for, warm_cosine

RESOLUTION = 128


class ArcFace(nn.Module):
    """Classes as unit vectors; the right one's angle is enlarged before the softmax (Deng et al., CVPR 2019, eq. 3)."""

    def __init__(self, classes: int, embedding: int, scale: float = 20.0, margin: float = 0.35) -> None:
        super().__init__()
        self.centres = nn.Parameter(torch.randn(classes, embedding))
        self.scale, self.margin = scale, margin

    def forward(self, embeddings: Tensor, classes: Tensor, share: float = 1.0) -> Tensor:
        """Mean loss of (N, D) unit embeddings with classes (N,); ``share`` of the margin is applied."""
        cosines = functional.linear(embeddings, functional.normalize(self.centres, dim=1)).clamp(-0.9999, 0.9999)
        right = cosines.gather(1, classes[:, None])
        margin = self.margin * share
        enlarged = right * math.cos(margin) - (1 - right**2).sqrt() * math.sin(margin)
        enlarged = torch.where(right > -math.cos(margin), enlarged, right - margin * math.sin(margin))
        logits = self.scale * cosines.scatter(1, classes[:, None], enlarged)
        return functional.cross_entropy(logits, classes)


class FaceSampler:
    """Draws augmented training batches from the pairs, both looks alike."""

    def __init__(self, pairs: Pairs) -> None:
        self.pictures = torch.from_numpy(np.concatenate([pairs.render, pairs.photo])).permute(0, 3, 1, 2).contiguous()
        outline = torch.from_numpy(face_masks(pairs.landmarks, pairs.resolution, forehead=0.3))[:, None]
        outline = torch.cat([soften(part) for part in outline.split(64)])
        self.masks = torch.cat([outline, outline])
        people, classes = np.unique(pairs.identity, return_inverse=True)
        self.classes = torch.from_numpy(np.concatenate([classes, classes]))
        self.people = len(people)

    def draw(self, count: int, box: Sequence[float], size: int) -> tuple[Tensor, Tensor]:
        """Inner faces (count, 3, size, size) −1…1, cut at about the network's box, and classes (count,)."""
        chosen = torch.randint(len(self.pictures), (count,))
        matrices = similarity_matrices(count, 6, (0.93, 1.07), 0.04) @ box_matrix(box)
        seen = warp(torch.cat([self.pictures[chosen], self.masks[chosen]], 1).float() / 255, matrices, size)
        replaced = (torch.rand(count, 1, 1, 1) < 0.7).float()
        opacity = 1 - replaced * (1 - seen[:, 3:])
        pictures = opacity * seen[:, :3] + (1 - opacity) * random_backdrops(count, size)
        pictures = add_noise(blur(jitter_colour(pictures, hue=0.06, brightness=0.18), most=1.6))
        return pictures * 2 - 1, self.classes[chosen]


@torch.no_grad()
def embed(network: IdentityNetwork, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, R, R, 3) display bytes → (N, D) unit vectors, in batches."""
    network.eval()
    tensor = torch.from_numpy(pictures).permute(0, 3, 1, 2)
    return torch.cat([network(part.float() / 127.5 - 1) for part in tensor.split(64)]).numpy()


def measure(network: IdentityNetwork, pairs: Pairs) -> dict[str, float]:
    """Recognition across looks and across poses among the people of these pairs.

    ``cross_look``: render look asked for, photo look of the same pose as gallery. ``cross_pose``: other poses, same
    look. ``cross_both``: other poses in the other look, never the query's own pose.
    """
    render, photo = embed(network, pairs.render), embed(network, pairs.photo)
    who = pairs.identity
    itself = (who[:, None] == who[None]) & (pairs.pose[:, None] == pairs.pose[None])
    other_pose = pairs.pose[:, None] != pairs.pose[None]
    both = separation(render, who, photo, who, itself)
    return {
        "people": float(len(np.unique(who))),
        "rank_one_cross_look": rank_one(render, who, photo, who, other_pose),
        "rank_one_cross_pose": rank_one(photo, who, photo, who, itself),
        "rank_one_cross_both": rank_one(render, who, photo, who, itself),
        **{f"cross_both_{name}": value for name, value in asdict(both).items()},
        "cross_look_same": float((render * photo).sum(1).mean()),
    }


def train(
    pairs: Path,
    out: Path,
    minutes: float,
    seed: int = 0,
    batch: int = 96,
    peak_rate: float = 3e-3,
    cache: Path | None = None,
    console: Console | None = None,
) -> dict[str, float]:
    """Train, save to ``out`` and return what `measure` gives on the reserved identities.

    Raises:
        LifelikeError: INVALID_FILE for an unreadable set or a foreign checkpoint.
    """
    console = console or Console()
    torch.manual_seed(seed)
    everything = load_pairs(pairs, RESOLUTION, cache)
    sampler = FaceSampler(everything.training())
    network = IdentityNetwork()
    arcface = ArcFace(sampler.people, network.settings["embedding"])
    optimiser = torch.optim.AdamW([*network.parameters(), *arcface.parameters()], lr=peak_rate, weight_decay=0.02)

    def step(fraction: float) -> dict[str, float]:
        for group in optimiser.param_groups:
            group["lr"] = warm_cosine(fraction, peak_rate)
        network.train()
        crops, classes = sampler.draw(batch, network.settings["box"], network.settings["input_size"])
        crops = crops.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            features = network.features(crops)
        loss = arcface(
            functional.normalize(features.float(), dim=1), classes, min(max(fraction - 0.35, 0.0) / 0.4, 1.0)
        )
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return {"arcface": loss.item()}

    checkpoint = out.with_suffix(".checkpoint")
    parts: dict[str, Stateful] = {"network": network, "arcface": arcface, "optimiser": optimiser}
    steps = train_for(minutes, step, parts, checkpoint, seed, console)
    card: dict[str, object] = {"seed": seed, "minutes": minutes, "steps": steps, "people": sampler.people}
    save_weights(out, network, "identity", card)
    measured = measure(network, everything.reserved())
    save_weights(out, network, "identity", {**card, "measured": measured})
    checkpoint.unlink(missing_ok=True)
    return measured


def main(
    pairs: Annotated[Path, typer.Option(help="Folder of the paired heads (index.jsonl).")],
    out: Annotated[Path, typer.Option(help="The network is written here (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="Processor time to spend.")] = 15.0,
    seed: int = 0,
    batch: int = 96,
    threads: Annotated[int, typer.Option(help="Processor threads; 0: all.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded pictures.")] = None,
) -> None:
    """Train the identity network and report recognition among the reserved identities."""
    if threads:
        torch.set_num_threads(threads)
    console = Console()
    measured = train(pairs, out, minutes, seed, batch, cache=cache, console=console)
    for name, value in measured.items():
        console.print(f"{name:32} {value:.4f}", highlight=False)


if __name__ == "__main__":
    run_command(main)
