# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train photo`: it learns its pictures, starts from other networks, and refuses what does not fit."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console
from torch import Tensor
from training_runs import drawn_pictures, scalars, tiny_changes, tiny_settings
from typer.testing import CliRunner

from lifelike.cli import app
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.training.losses.adversarial import path_length_penalty, r1_penalty
from lifelike.training.networks import load_discriminator, load_encoder, load_generator, load_identity
from lifelike.training.photo.task import PhotoTask, starting_networks
from lifelike.training.portraits import read_portraits
from lifelike.training.run import run_task
from lifelike_protocol.errors import LifelikeError
from small_bundle import small_bundle

QUIET = Console(quiet=True)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_pictures(tmp_path_factory.mktemp("data") / "pictures")


@pytest.fixture(scope="module")
def learnt(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has seen six pictures again and again."""
    run = tmp_path_factory.mktemp("runs") / "photo"
    changes = ("run.pictures=1200", "run.batch=8", "adversarial.average=400", "ada.pictures=6000")
    run_task(PhotoTask, tiny_settings(pictures, *changes), run, QUIET)
    return run


def distances(made: Tensor, real: Tensor) -> Tensor:
    """Root-mean-square difference of each made picture from each real one."""
    return torch.cdist(made.flatten(1), real.flatten(1)) / made[0].numel() ** 0.5


@torch.no_grad()
def test_what_is_made_comes_to_look_like_the_pictures(learnt: Path, pictures: Path) -> None:
    settings = tiny_settings(pictures)
    pixels = torch.from_numpy(read_portraits(settings.data, 16).pictures.copy())
    real = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
    torch.manual_seed(9)
    z = torch.randn(64, 16)
    before, after = Generator(settings.network)(z), load_generator(learnt)(z)
    assert (after.mean((0, 2, 3)) - real.mean((0, 2, 3))).abs().max() < 0.25
    assert 0.6 < after.std() / real.std() < 1.5
    assert (after - after.mean(0)).std() > 0.2  # not one picture for everybody
    nearest_before, nearest_after = (distances(made, real).amin(1).mean() for made in (before, after))
    assert nearest_after < 0.65 * nearest_before


def test_losses_stay_sane_and_the_augmentation_answers_to_overfitting(learnt: Path) -> None:
    last = scalars(learnt)[-1]
    assert 0.05 < last["discriminator"] < 2
    assert 0.3 < last["generator"] < 6
    assert last["real_sign"] > 0.3
    assert last["ada_p"] > 0.05
    for name in ("generator_gradient", "discriminator_gradient", "path_gradient", "r1_gradient", "path_length", "r1"):
        assert any(line.get(name, 0) > 0 for line in scalars(learnt)), name
    assert (learnt / "sheets/00001200.png").is_file()
    assert list((learnt / "tensorboard").iterdir())


def test_penalties_reach_every_weight_they_should() -> None:
    settings = GeneratorSettings(16, 128, 16, 16, 16, 2)
    generator, discriminator = Generator(settings), Discriminator(settings)
    ws = generator.w_plus(generator.mapping(torch.randn(2, 16)))
    penalty, mean = path_length_penalty(generator.synthesis(ws, "random"), ws, torch.zeros(()))
    penalty.backward()
    untouched = [name for name, weight in generator.named_parameters() if weight.grad is None]
    # A bias or a noise's strength moves the picture by the same amount whatever w; only through the slope of what
    # follows does it matter, and after the last layer nothing follows.
    assert all(name.endswith(("torgb.bias", "noise_strength")) for name in untouched), untouched
    assert float(mean) > 0
    r1_penalty(discriminator, torch.randn(4, 3, 16, 16)).backward()
    assert all(w.grad is not None and w.grad.any() for name, w in discriminator.named_parameters() if "weight" in name)


def test_a_run_starts_from_another_one(learnt: Path, pictures: Path) -> None:
    generator, discriminator = starting_networks(tiny_settings(pictures, f"start={learnt}"))
    assert torch.equal(generator.mapping.w_avg, load_generator(learnt).mapping.w_avg)
    assert torch.equal(discriminator.b4.out.weight, load_discriminator(learnt).b4.out.weight)
    alone, fresh = starting_networks(tiny_settings(pictures, f"start={learnt / 'photo.safetensors'}"))
    assert torch.equal(alone.mapping.fc0.weight, generator.mapping.fc0.weight)
    assert not torch.equal(fresh.b4.out.weight, discriminator.b4.out.weight)


def test_networks_come_out_of_a_bundle(tmp_path: Path) -> None:
    bundle = small_bundle(identity=False)
    bundle.save(tmp_path / "small.safetensors")
    source = str(tmp_path / "small.safetensors")
    render = load_generator(source, "render", 64)
    assert torch.allclose(render.synthesis.b64.torgb.weight, bundle.render.synthesis.b64.torgb.weight, atol=1e-3)
    assert all(parameter.requires_grad for parameter in render.parameters())
    assert load_encoder(source).settings == bundle.encoder.settings
    with pytest.raises(LifelikeError, match="has no identity network"):
        load_identity(source)
    with pytest.raises(LifelikeError, match="has no discriminator"):
        load_discriminator(source)


def test_networks_that_do_not_fit_are_named(learnt: Path, tmp_path: Path) -> None:
    with pytest.raises(LifelikeError, match="is for 16 pixels, and 32 are needed"):
        load_generator(learnt, "photo", 32)
    with pytest.raises(LifelikeError, match=r"has no render\.safetensors"):
        load_generator(learnt, "render")
    with pytest.raises(LifelikeError, match="holds a network of kind 'discriminator', not 'generator'"):
        load_generator(learnt / "discriminator.safetensors")
    with pytest.raises(LifelikeError, match="There is no file or folder"):
        load_generator(tmp_path / "none.safetensors")
    with pytest.raises(LifelikeError, match="There is no bundle 'nobody'"):
        load_generator("nobody")
    (tmp_path / "cut.safetensors").write_bytes((learnt / "photo.safetensors").read_bytes()[:500])
    with pytest.raises(LifelikeError, match=r"cut\.safetensors cannot be read"):
        load_generator(tmp_path / "cut.safetensors")


def told(*arguments: str) -> str:
    """What `lifelike train` says when it refuses."""
    result = CliRunner().invoke(app, ["train", *arguments])
    assert isinstance(result.exception, LifelikeError), result.output
    return str(result.exception)


def test_the_command_refuses_before_it_works(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = str(tmp_path / "run")
    assert "There is no kind of training 'video'." in told("video", "--run", run)
    assert "Did you mean run.batch?" in told("photo", "--run", run, "--set", "run.bach=3")
    assert "No data set is named" in told("photo", "--run", run)
    (tmp_path / "none").mkdir()
    assert "There is no usable picture" in told("photo", "--run", run, "--set", f"data.folders={tmp_path / 'none'}")
    many = tiny_changes(pictures, "network.resolution=32")
    assert "fewer than the 32" in told("photo", "--run", run, *(f"--set={change}" for change in many))
    devices = tiny_changes(pictures, "run.accelerator=cuda", "run.devices=9")
    assert "cannot use accelerator 'cuda'" in told("photo", "--run", run, *(f"--set={change}" for change in devices))
    assert not list(tmp_path.rglob("config.toml"))  # the next attempt begins with nothing from this one
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    assert "pip install 'lifelike[train]'" in told("photo", "--run", run)


def test_the_command_continues_with_the_settings_of_the_run(pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = tiny_changes(pictures, "run.pictures=8", "run.seed=4")
    began = CliRunner().invoke(app, ["train", "photo", "--run", str(run), *(f"--set={change}" for change in first)])
    assert began.exit_code == 0, began.output
    longer = CliRunner().invoke(app, ["train", "photo", "--run", str(run), "--set", "run.pictures=16"])
    assert longer.exit_code == 0, longer.output
    assert "Continuing at step 2, 8 of 16 pictures." in longer.output
    shown = CliRunner().invoke(app, ["train", "photo", "--run", str(run), "--show"])
    assert "seed = 4" in shown.output
    assert "pictures = 16" in shown.output
    assert json.loads((run / "versions.json").read_text())["kind"] == "photo"
