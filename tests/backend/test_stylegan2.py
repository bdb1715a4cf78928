# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks compute what the reference implementation computes, on weights anyone can regenerate."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from published_state import draw, stylegan2_state

SHARED = Path(os.environ.get("LIFELIKE_SHARED", Path(__file__).parents[3] / "shared"))
PARITY = SHARED / "fixtures" / "parity"
NAMES = ("stylegan2_64", "stylegan2_256_paper", "stylegan2_1024_config_f")
TOLERANCE = 1e-3  # of the output's standard deviation

pytestmark = pytest.mark.skipif(not PARITY.is_dir(), reason=f"parity fixtures are not at {PARITY.parent}")


def drawn(tag: str, key: str, shape: list[int]) -> torch.Tensor:
    return torch.from_numpy(draw(tag, key, shape))


def settings_of(config: dict[str, int]) -> GeneratorSettings:
    names = ("resolution", "channel_base", "channel_max", "z_dim", "w_dim", "mapping_layers")
    return GeneratorSettings(**{name: config[name] for name in names})


@pytest.mark.parametrize("name", NAMES)
@torch.inference_mode()
def test_generator_agrees_with_the_reference(name: str) -> None:
    fixture = np.load(PARITY / f"{name}.npz")
    config = json.loads(str(fixture["config"]))
    generator = Generator(settings_of(config)).eval()
    generator.load_state_dict(stylegan2_state(config["tag"], json.loads(str(fixture["g_keys"]))))
    assert generator.settings.num_ws == int(fixture["num_ws"])
    z = drawn(config["tag"], "input.z", [2, config["z_dim"]])
    w = drawn(config["tag"], "input.w", [2, generator.settings.num_ws, config["w_dim"]])

    mapped = generator.mapping(z, 0.7).numpy()
    assert np.abs(mapped - fixture["w_psi07"]).max() < TOLERANCE * fixture["w_psi07"].std()
    images = {
        "image_from_z_psi07_noise_const": generator(z, 0.7),
        "image_from_w_noise_const": generator.synthesis(w),
        "image_from_w_noise_none": generator.synthesis(w, "none"),
    }
    for key, image in images.items():
        mean, deviation = fixture[f"{key}_mean_std"]
        strided = image[:, :, :: config["stride"], :: config["stride"]].numpy()
        assert np.abs(strided - fixture[key]).max() < TOLERANCE * deviation, key
        assert abs(float(image.mean()) - mean) < TOLERANCE * deviation, key


@pytest.mark.parametrize("name", NAMES[:2])
@torch.inference_mode()
def test_discriminator_agrees_with_the_reference(name: str) -> None:
    fixture = np.load(PARITY / f"{name}.npz")
    config = json.loads(str(fixture["config"]))
    discriminator = Discriminator(settings_of(config)).eval()
    tag = config["tag"] + ".D"
    discriminator.load_state_dict(stylegan2_state(tag, json.loads(str(fixture["d_keys"]))))
    image = drawn(config["tag"], "input.image", [4, 3, config["resolution"], config["resolution"]])
    logits = discriminator(image).numpy()
    assert np.abs(logits - fixture["logits"]).max() < TOLERANCE * fixture["logits"].std()


def test_random_noise_differs_and_unknown_noise_is_refused() -> None:
    generator = Generator(GeneratorSettings(resolution=16, channel_base=64, channel_max=8, z_dim=8, w_dim=8))
    with torch.no_grad():
        generator.synthesis.b16.conv1.noise_strength.fill_(0.5)
    z = torch.randn(1, 8)
    assert torch.equal(generator(z), generator(z))
    assert not torch.equal(generator(z, noise="random"), generator(z, noise="random"))
    with pytest.raises(ValueError, match="noise is"):
        generator(z, noise="loud")


def test_a_feature_code_changes_the_picture_only_through_its_resolution() -> None:
    settings = GeneratorSettings(resolution=16, channel_base=128, channel_max=8, z_dim=8, w_dim=8)
    synthesis = Generator(settings).synthesis
    ws = torch.randn(1, settings.num_ws, 8)
    nothing = {8: torch.zeros(1, 8, 8, 8)}
    assert torch.equal(synthesis(ws), synthesis(ws, features=nothing))
    assert not torch.equal(synthesis(ws), synthesis(ws, features={8: torch.ones(1, 8, 8, 8)}))


def test_resolution_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        GeneratorSettings(resolution=100)
