# SPDX-License-Identifier: GPL-3.0-or-later
"""e4e and ArcFace IR-SE50 compute what the published code does, with its files' own tensors by their own names."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from lifelike.networks.arcface import ArcFace
from lifelike.networks.e4e import E4e, E4eSettings
from published_state import draw, ir_se_state


def fixture(folder: Path, name: str) -> tuple[dict, dict[str, list[int]], np.lib.npyio.NpzFile]:
    values = np.load(folder / "fixtures" / "parity" / name)
    return json.loads(str(values["config"])), json.loads(str(values["keys"])), values


def assert_agree(found: torch.Tensor, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    assert np.abs(found.numpy() - expected).max() < 1e-3 * expected.std()


@torch.inference_mode()
def test_e4e_agrees_with_the_published_code(shared_folder: Path) -> None:
    config, shapes, values = fixture(shared_folder, "e4e_1024.npz")
    with torch.device("meta"):
        encoder = E4e(E4eSettings()).eval()
    mean = torch.from_numpy(draw("mean", "w_avg", (18, 512)))
    encoder.load_state_dict({**ir_se_state(config["tag"], shapes), "w_avg": mean}, assign=True)
    portrait = torch.from_numpy(draw(config["tag"], "input.image", config["input"]) * 0.5).clamp(-1, 1)
    latent = encoder(portrait)
    assert_agree(latent.ws - mean, values["codes"])
    assert latent.features == {}


@torch.inference_mode()
def test_arcface_agrees_with_the_published_code(shared_folder: Path) -> None:
    config, shapes, values = fixture(shared_folder, "arcface_ir_se50.npz")
    with torch.device("meta"):
        network = ArcFace().eval()
    network.load_state_dict(ir_se_state(config["tag"], shapes), assign=True)
    faces = torch.from_numpy(draw(config["tag"], "input.image", config["input"]) * 0.5).clamp(-1, 1)
    assert_agree(torch.nn.functional.normalize(network.features(faces)), values["embedding"])
