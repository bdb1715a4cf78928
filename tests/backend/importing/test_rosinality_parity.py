# SPDX-License-Identifier: GPL-3.0-or-later
"""Imported, rosinality's generator makes the pictures that rosinality's code makes; so does the one in e4e's file."""

from __future__ import annotations

import json
from pathlib import Path

import foreign_files as foreign
import numpy as np
import pytest
import torch

from lifelike.importing import Found, read_foreign
from lifelike.networks.e4e import E4e, E4eSettings
from lifelike.networks.stylegan2 import Generator
from published_state import draw

TOLERANCE = 1e-3  # of the output's standard deviation
STRIDE = 8


class Fixture:
    """The reference's outputs, and the weights and inputs they were made with."""

    def __init__(self, file: Path) -> None:
        self.outputs = np.load(file)
        self.tag = json.loads(str(self.outputs["config"]))["tag"]
        shapes = json.loads(str(self.outputs["keys"]))
        self.state = {key: self.filled(key, shape) for key, shape in shapes.items()}
        self.mean = self.filled("latent_avg", [512])

    def drawn(self, key: str, shape: list[int]) -> torch.Tensor:
        return torch.from_numpy(draw(self.tag, key, shape))

    def filled(self, key: str, shape: list[int]) -> torch.Tensor:
        if key.endswith("kernel"):
            return foreign.FILTER * 4  # up-sampling filters, all of them
        if key.endswith("noise.weight"):
            return torch.full(shape, 0.1)
        value = self.drawn(key, shape)
        if key.startswith("style.") and key.endswith("weight"):
            return 100 * value
        if key.endswith("modulation.bias"):
            return 1 + 0.1 * value
        return 0.1 * value if key.endswith("bias") or key == "latent_avg" else value

    def agrees(self, name: str, image: torch.Tensor) -> bool:
        wanted = self.outputs[name]
        return bool(np.abs(image.numpy()[..., ::STRIDE, ::STRIDE] - wanted).max() < TOLERANCE * wanted.std())


@pytest.fixture(scope="module")
def reference(shared_folder: Path) -> Fixture:
    return Fixture(shared_folder / "fixtures" / "parity" / "rosinality_256.npz")


def imported(file: Path) -> tuple[Found, Generator]:
    found = read_foreign(file)
    assert found.generator is not None
    with torch.device("meta"):
        generator = Generator(found.generator[0])
    generator.load_state_dict(found.generator[1], assign=True)
    return found, generator.eval()


@torch.inference_mode()
def test_pictures_agree(reference: Fixture, tmp_path: Path) -> None:
    torch.save({"g_ema": reference.state, "latent_avg": reference.mean}, tmp_path / "stylegan2.pt")
    _, generator = imported(tmp_path / "stylegan2.pt")
    assert (generator.settings.resolution, generator.settings.channels(256)) == (256, 128)
    z, w = reference.drawn("input.z", [2, 512]), reference.drawn("input.w", [2, generator.settings.num_ws, 512])
    mapped, wanted = generator.mapping(z).numpy(), reference.outputs["w"]
    assert np.abs(mapped - wanted).max() < TOLERANCE * wanted.std()
    assert reference.agrees("image_from_z_trunc07", generator(z, 0.7))
    assert reference.agrees("image_from_w", generator.synthesis(w))


@torch.inference_mode()
def test_pictures_of_the_generator_in_an_e4e_file_agree(reference: Fixture, tmp_path: Path) -> None:
    sizes = E4eSettings(resolution=64, num_ws=1, w_dim=512, **foreign.SMALL_TRUNK)  # one layer: most of its weight
    encoder = {f"encoder.{k}": v for k, v in E4e(sizes).state_dict().items() if k != "w_avg"}
    both = {**encoder, **{f"decoder.{k}": v for k, v in reference.state.items()}}
    options = {"encoder_type": "Encoder4Editing"}
    torch.save({"state_dict": both, "latent_avg": reference.mean[None], "opts": options}, tmp_path / "e4e.pt")
    found, generator = imported(tmp_path / "e4e.pt")
    assert found.encoder is not None
    assert reference.agrees("image_from_z_trunc07", generator(reference.drawn("input.z", [2, 512]), 0.7))
