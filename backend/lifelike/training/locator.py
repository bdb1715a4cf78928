# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the face locator: detector and landmark regressor side by side, on made-up frames.

``python -m lifelike.training.locator --pairs DIR --out FILE.safetensors --minutes M [--faces DIR …] [--others DIR …]``

All faces are synthetic. Landmarks come projected from the heads' meshes, also where hair hides them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import torch.nn.functional as functional
import typer
from PIL import Image
from rich.console import Console
from torch import Tensor

from lifelike.datasets.pairs import LabelledFaces, Pairs, load_faces, load_pairs
from lifelike.evaluation.landmark_error import inter_ocular, landmark_errors
from lifelike.networks.face_locator import FaceLocator
from lifelike.networks.weights import save_weights
from lifelike.training.command import run_command
from lifelike.training.face_crops import FaceCrops
from lifelike.training.face_scenes import DetectorScenes, HeadCutouts, head_outlines, mean_face
from lifelike.training.loop import train_for, warm_cosine
from lifelike_protocol.errors import ErrorCode, LifelikeError

RESOLUTION = 256
FRAME_SIZE = 192


def gather_heads(pairs: Pairs, faces: list[LabelledFaces]) -> tuple[HeadCutouts, np.ndarray]:
    """Cut-outs of every training picture, and their landmarks (N, 68, 2) in pixels."""
    outlines = head_outlines(pairs.render)
    pictures, landmarks = [pairs.render, pairs.photo], [pairs.landmarks, pairs.landmarks]
    masks = [outlines, outlines]
    for extra in faces:
        pictures.append(extra.pictures)
        landmarks.append(extra.landmarks)
        masks.append(head_outlines(extra.pictures))
    joined = np.concatenate(landmarks)
    return HeadCutouts.from_pictures(np.concatenate(pictures), joined, np.concatenate(masks)), joined


def load_others(folder: Path, size: int = 128) -> HeadCutouts:
    """Pictures with alpha of things that are no face (``*.png``).

    Raises:
        LifelikeError: INVALID_FILE when there are none.
    """
    files = sorted(folder.glob("*.png"))
    if not files:
        raise LifelikeError(ErrorCode.INVALID_FILE, f"There is no PNG in {folder}.")
    return HeadCutouts.from_cutouts(
        np.stack(
            [np.asarray(Image.open(f).convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)) for f in files]
        )
    )


def detector_loss(locator: FaceLocator, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Focal loss of the heatmap (Zhou et al. 2019, eq. 1: exponents 2 and 4) and L1 of the faces' shapes."""
    frames, heat, shape, weight = batch
    with torch.autocast("cpu", torch.bfloat16):
        found = locator.detector(frames.contiguous(memory_format=torch.channels_last))
    score = found.heat.sigmoid().clamp(1e-4, 1 - 1e-4)
    centres = heat > 0.99
    focal = torch.where(centres, (1 - score) ** 2 * score.log(), (1 - heat) ** 4 * score**2 * (1 - score).log())
    faces = centres.sum().clamp_min(1)
    return -focal.sum() / faces, ((found.shape - shape).abs() * weight).sum() / weight.sum().clamp_min(1)


def regressor_loss(locator: FaceLocator, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Mean distance of landmarks over faces (in units of half the crop) and cross entropy of face or not."""
    crops, points, is_face = batch
    with torch.autocast("cpu", torch.bfloat16):
        places, logits = locator.regressor(crops.contiguous(memory_format=torch.channels_last))
    distance = (places - points).norm(dim=2).mean(1)
    return (distance * is_face).sum() / is_face.sum().clamp_min(1), functional.binary_cross_entropy_with_logits(
        logits, is_face
    )


def measure(locator: FaceLocator, pictures: np.ndarray, landmarks: np.ndarray) -> dict[str, float]:
    """Over square pictures (N, R, R, 3) uint8 of one face each: recall, false alarms, median landmark error (%)."""
    locator.eval()
    errors, missed, extra = [], 0, 0
    for picture, truth in zip(pictures, landmarks, strict=True):
        found = locator.locate(picture.astype(np.float32) / 255)
        best = min((float(landmark_errors(points, truth).mean()) for points, _ in found), default=np.inf)
        hit = best < 0.25 * 100
        missed += not hit
        extra += len(found) - hit
        if hit:
            errors.append(best)
    return {
        "pictures": float(len(pictures)),
        "recall": 1 - missed / len(pictures),
        "false_alarms_per_picture": extra / len(pictures),
        "median_error_percent": float(np.median(errors)) if errors else float("nan"),
        "ninetieth_error_percent": float(np.quantile(errors, 0.9)) if errors else float("nan"),
        "median_inter_ocular_pixels": float(np.median([inter_ocular(points) for points in landmarks])),
    }


def train(
    pairs: Path,
    out: Path,
    minutes: float,
    faces: list[Path] | None = None,
    others: Path | None = None,
    seed: int = 0,
    frames: int = 6,
    crops: int = 24,
    peak_rate: float = 2e-3,
    cache: Path | None = None,
    console: Console | None = None,
) -> dict[str, float]:
    """Train, save to ``out`` and return what `measure` gives on the reserved identities, both looks together.

    Raises:
        LifelikeError: INVALID_FILE for an unreadable set or a foreign checkpoint.
    """
    console = console or Console()
    torch.manual_seed(seed)
    everything = load_pairs(pairs, RESOLUTION, cache)
    extra = [load_faces(folder, RESOLUTION, cache) for folder in faces or []]
    heads, landmarks = gather_heads(everything.training(), extra)
    locator = FaceLocator()
    locator.mean_shape.copy_(mean_face(landmarks))
    fit = locator.fit(torch.view_as_real(heads.points))
    no_faces = load_others(others) if others else None
    scenes = DetectorScenes(heads, fit, no_faces)
    sampler = FaceCrops(heads, fit, no_faces, locator.settings["margin"])
    optimiser = torch.optim.AdamW(locator.parameters(), lr=peak_rate, weight_decay=0.01)
    crop_size = locator.regressor.settings["crop_size"]

    def step(fraction: float) -> dict[str, float]:
        for group in optimiser.param_groups:
            group["lr"] = warm_cosine(fraction, peak_rate)
        locator.train()
        heat, shape = detector_loss(locator, scenes.draw(frames, FRAME_SIZE))
        points, face = regressor_loss(locator, sampler.draw(crops, crop_size))
        loss = heat + shape + 4 * points + 0.3 * face
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(locator.parameters(), 5.0)
        optimiser.step()
        return {"heat": heat.item(), "shape": shape.item(), "points": points.item(), "face": face.item()}

    checkpoint = out.with_suffix(".checkpoint")
    steps = train_for(minutes, step, {"locator": locator, "optimiser": optimiser}, checkpoint, seed, console)
    card: dict[str, object] = {"seed": seed, "minutes": minutes, "steps": steps, "pictures": len(heads)}
    save_weights(out, locator, "locator", card)
    reserved = everything.reserved()
    pictures = np.concatenate([reserved.render, reserved.photo])
    measured = measure(locator, pictures, np.concatenate([reserved.landmarks] * 2))
    save_weights(out, locator, "locator", {**card, "measured": measured})
    checkpoint.unlink(missing_ok=True)
    return measured


def main(
    pairs: Annotated[Path, typer.Option(help="Folder of the paired heads (index.jsonl).")],
    out: Annotated[Path, typer.Option(help="The network is written here (.safetensors).")],
    minutes: Annotated[float, typer.Option(help="Processor time to spend.")] = 30.0,
    faces: Annotated[list[Path] | None, typer.Option(help="Further faces with landmarks (index.jsonl).")] = None,
    others: Annotated[Path | None, typer.Option(help="PNGs with alpha of things that are no face.")] = None,
    seed: int = 0,
    threads: Annotated[int, typer.Option(help="Processor threads; 0: all.")] = 0,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded pictures.")] = None,
) -> None:
    """Train the face locator and report landmark errors on the reserved identities."""
    if threads:
        torch.set_num_threads(threads)
    console = Console()
    measured = train(pairs, out, minutes, faces, others, seed, cache=cache, console=console)
    for name, value in measured.items():
        console.print(f"{name:32} {value:.4f}", highlight=False)


if __name__ == "__main__":
    run_command(main)
