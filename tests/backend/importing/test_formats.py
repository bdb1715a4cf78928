# SPDX-License-Identifier: GPL-3.0-or-later
"""Every published format gives back exactly the values that were written, whatever the file is called."""

from __future__ import annotations

from pathlib import Path

import foreign_files as foreign
import pytest
import torch
from safetensors.torch import save_file

from lifelike.importing import read_foreign
from lifelike.networks.weights import save_weights


def same(found: dict[str, torch.Tensor], network: torch.nn.Module, leaving_out: str = "") -> bool:
    """Whether all tensors are there, bit for bit."""
    wanted = {name: value for name, value in network.state_dict().items() if name != leaving_out}
    given = {name: value for name, value in found.items() if name != leaving_out}
    return given.keys() == wanted.keys() and all(torch.equal(given[name], wanted[name]) for name in wanted)


@pytest.mark.parametrize("protocol", [2, 3, 5])
def test_nvidia_torch(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "holiday.jpg"
    generator, discriminator = foreign.small_generator(), foreign.small_discriminator()
    foreign.write_nvidia_torch(file, generator, discriminator, protocol=protocol)
    found = read_foreign(file)
    assert found.format == "NVIDIA PyTorch pickle"
    assert found.generator is not None
    assert found.generator[0] == foreign.SMALL
    assert same(found.generator[1], generator)
    assert found.discriminator is not None
    assert found.discriminator[0] == foreign.SMALL
    assert same(found.discriminator[1], discriminator)


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_nvidia_tensorflow(tmp_path: Path, protocol: int) -> None:
    file = tmp_path / "weights.pt"
    generator, discriminator = foreign.small_generator(), foreign.small_discriminator()
    with torch.no_grad():  # values to which 1 is added and taken off again without loss
        for name, value in generator.named_parameters():
            if name.endswith("affine.bias"):
                value.copy_((value * 64).round() / 64)
    foreign.write_nvidia_tensorflow(file, generator, discriminator, protocol=protocol)
    found = read_foreign(file)
    assert found.format == "NVIDIA TensorFlow pickle"
    assert found.generator is not None
    assert same(found.generator[1], generator)
    assert found.discriminator is not None
    assert same(found.discriminator[1], discriminator)


@pytest.mark.parametrize("zipped", [True, False])
def test_rosinality(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "weights.pkl"
    generator, discriminator = foreign.small_generator(), foreign.small_discriminator()
    foreign.write_rosinality(file, generator, discriminator, zipped)
    found = read_foreign(file)
    assert found.format == "rosinality checkpoint"
    assert found.generator is not None
    assert found.generator[0] == foreign.SMALL
    assert same(found.generator[1], generator)
    assert found.discriminator is not None
    assert same(found.discriminator[1], discriminator)
    assert found.notes == ()


@pytest.mark.parametrize(
    ("limit", "told"),
    [(256, "±256"), (256.0, "±256"), (None, ""), (10**30, ""), ([256], ""), (-1, ""), (float("nan"), "")],
)
def test_limited_activations_are_told(tmp_path: Path, limit: object, told: str) -> None:
    foreign.write_nvidia_torch(tmp_path / "network.pkl", foreign.small_generator(), conv_clamp=limit)
    notes = read_foreign(tmp_path / "network.pkl").notes
    assert [told in note for note in notes] == ([True] if told else [])


def test_rosinality_without_a_mean_latent_gets_one_and_says_so(tmp_path: Path) -> None:
    generator = foreign.small_generator()
    foreign.write_rosinality(tmp_path / "weights.pt", generator, mean=False)
    found = read_foreign(tmp_path / "weights.pt")
    assert found.generator is not None
    assert "latent_avg" in found.notes[0]
    assert same(found.generator[1], generator, leaving_out="mapping.w_avg")
    drawn = generator.mapping(torch.randn(20_000, 8, generator=torch.Generator().manual_seed(9)))
    error = (found.generator[1]["mapping.w_avg"] - drawn.mean(0)).abs().max()
    assert error < 0.1 * drawn.std()


def test_rosinality_of_several_gpus(tmp_path: Path) -> None:
    generator = foreign.small_generator()
    theirs = foreign.rosinality_generator(generator.state_dict())
    wrapped = {f"module.{name}": value for name, value in theirs.items()}
    foreign.save_torch(tmp_path / "a", {"g_ema": wrapped, "latent_avg": generator.mapping.w_avg})
    found = read_foreign(tmp_path / "a")
    assert found.generator is not None
    assert same(found.generator[1], generator)


@pytest.mark.parametrize("zipped", [True, False])
def test_e4e_gives_its_encoder_and_its_generator(tmp_path: Path, zipped: bool) -> None:
    file = tmp_path / "weights"
    encoder, generator = foreign.small_e4e(), foreign.small_generator()
    with torch.no_grad():
        encoder.w_avg.copy_(generator.mapping.w_avg.expand_as(encoder.w_avg))
    foreign.write_e4e(file, encoder, generator, zipped=zipped)
    found = read_foreign(file)
    assert found.encoder is not None
    assert found.encoder[0] == encoder.settings
    assert same(found.encoder[1], encoder)
    assert found.generator is not None
    assert same(found.generator[1], generator)
    assert found.notes == ()


@pytest.mark.parametrize("zipped", [True, False])
def test_arcface(tmp_path: Path, zipped: bool) -> None:
    network = foreign.small_arcface()
    foreign.write_arcface(tmp_path / "face.onnx", network, zipped)
    found = read_foreign(tmp_path / "face.onnx")
    assert found.identity is not None
    assert found.identity[0] == network.settings
    assert same(found.identity[1], network)
    assert found.generator is None


def test_safetensors_with_others_names(tmp_path: Path) -> None:
    generator, network = foreign.small_generator(), foreign.small_arcface()
    theirs = {f"g_ema.{k}": v.contiguous() for k, v in foreign.rosinality_generator(generator.state_dict()).items()}
    save_file({**theirs, "latent_avg": generator.mapping.w_avg}, tmp_path / "rosinality")
    save_file({k: v.contiguous() for k, v in generator.state_dict().items()}, tmp_path / "nvidia")
    save_file({k: v.contiguous() for k, v in network.state_dict().items()}, tmp_path / "arcface")
    for name in ("rosinality", "nvidia"):
        found = read_foreign(tmp_path / name)
        assert found.generator is not None
        assert same(found.generator[1], generator), name
    recogniser = read_foreign(tmp_path / "arcface")
    assert recogniser.identity is not None
    assert same(recogniser.identity[1], network)


@pytest.mark.parametrize("kind", ["generator", "discriminator", "encoder", "identity"])
def test_own_networks(tmp_path: Path, kind: str) -> None:
    makers = {
        "generator": foreign.small_generator,
        "discriminator": foreign.small_discriminator,
        "identity": foreign.small_arcface,
    }
    from lifelike.networks.encoder import Encoder, EncoderSettings

    network = makers[kind]() if kind in makers else foreign.seeded(Encoder(EncoderSettings(resolution=64)))
    save_weights(tmp_path / "own", network, kind, {})
    settings, state = getattr(read_foreign(tmp_path / "own"), kind)
    assert settings == network.settings
    assert same(state, network)


def test_the_built_in_bundle_gives_all_its_networks() -> None:
    from lifelike.bundles import load_bundle
    from lifelike.bundles.registry import BUILTIN_FILE

    bundle, found = load_bundle(), read_foreign(BUILTIN_FILE)
    assert found.generator is not None
    assert found.generator[0] == bundle.photo.settings
    assert same(found.generator[1], bundle.photo)
    assert found.render is not None
    assert same(found.render[1], bundle.render)
    assert found.encoder is not None
    assert same(found.encoder[1], bundle.encoder)
    assert found.sha256 == bundle.sha256
