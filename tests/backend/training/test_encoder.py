# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train encoder` on a tiny generator: what it learns, what stands still, and what it refuses."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from PIL import Image
from rich.console import Console
from torch import Tensor

from lifelike.networks.encoder import Latent
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.networks.weights import load_weights, save_weights
from lifelike.training.encoder.codes import LatentCritic, free_layers, limited, offset_lengths
from lifelike.training.encoder.measure import measure
from lifelike.training.encoder.perceptual import (
    ActivationDistance,
    discriminator_activations,
    identity_activations,
    perceptual_distance,
)
from lifelike.training.encoder.renders import read_renders
from lifelike.training.encoder.settings import DrawnSettings, EncoderTraining, EncoderWeights, ProgressiveSettings
from lifelike.training.encoder.task import EncoderTask
from lifelike.training.encoder.terms import encoder_terms
from lifelike.training.losses.adversarial import generator_adversarial
from lifelike.training.pair.settings import EncoderSizes
from lifelike.training.portraits import PortraitData
from lifelike.training.processes import start_fabric
from lifelike.training.run import run_task
from lifelike.training.task import Moment, RunSettings
from lifelike_protocol.errors import LifelikeError
from made_up_pairs import write_pairs

TINY = GeneratorSettings(resolution=16, channel_base=256, channel_max=16, z_dim=8, w_dim=8, mapping_layers=2)
SIZES = EncoderSizes(width=16, width_max=32, patch=1, feature_resolutions=())


@pytest.fixture
def pair_files(tmp_path: Path) -> tuple[Path, Path]:
    """A render and a photo generator of 16 pixels with one mapping network."""
    torch.manual_seed(0)
    photo = Generator(TINY)
    render = copy.deepcopy(photo)
    with torch.no_grad():
        for parameter in render.synthesis.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    files = tmp_path / "render.safetensors", tmp_path / "photo.safetensors"
    for file, network in zip(files, (render, photo), strict=True):
        save_weights(file, network, "generator", {})
    return files


@pytest.fixture
def settings(pair_files: tuple[Path, Path], tmp_path: Path) -> EncoderTraining:
    """A short run on drawn faces and drawn latents."""
    (tmp_path / "data").mkdir()
    write_pairs(tmp_path / "data", people=[7, 600, 601], poses=2, size=16)
    for file in (tmp_path / "data").glob("*.png"):  # so that a mirrored face is another picture
        picture = Image.open(file)
        picture.putpixel((0, 0), (255, 255, 255))
        picture.save(file)
    return EncoderTraining(
        render=str(pair_files[0]),
        photo=str(pair_files[1]),
        data=PortraitData((str(tmp_path / "data"),)),
        encoder=SIZES,
        run=RunSettings(batch=8, pictures=48, accelerator="cpu", threads=1, precision="32-true"),
    )


def task_for(settings: EncoderTraining) -> EncoderTask:
    torch.manual_seed(1)
    return EncoderTask(settings, start_fabric(settings.run))


def advance(task: EncoderTask, steps: int, fraction: float | None = None) -> list[dict[str, float]]:
    """Updates as the loop makes them."""
    values = []
    for step in range(steps):
        torch.manual_seed(step)
        moment = Moment(step, 8 * step, step / steps if fraction is None else fraction)
        values.append({name: float(value) for name, value in task.step(moment).items()})
    return values


def test_the_latent_of_a_generators_own_picture_is_found(settings) -> None:
    """E(G_render(w)) comes near w, which it starts as far from as the mean w is."""
    alone = evolve(settings, photo="", drawn=DrawnSettings(share=1.0), weights=EncoderWeights(latent=1.0, critic=0.0))
    task = task_for(evolve(alone, rates=evolve(alone.rates, rate=3e-3)))
    before = measure(task.encoder, task.frozen, None)["latent_error"]
    values = advance(task, 120)
    after = measure(task.encoder, task.frozen, None)["latent_error"]
    assert 0.8 < before < 1.3
    assert after < 0.4 * before
    assert np.mean([value["squares"] for value in values[-10:]]) < 0.5 * values[0]["squares"]


def test_everything_but_the_encoder_and_its_critic_stands_still(settings, tmp_path) -> None:
    torch.manual_seed(5)
    save_weights(tmp_path / "identity.safetensors", IdentityNetwork(), "identity", {})
    task = task_for(evolve(settings, identity=str(tmp_path / "identity.safetensors")))
    frozen = task.frozen
    still = (frozen.render, frozen.photo, frozen.identity)
    before = [copy.deepcopy(network.state_dict()) for network in still]
    learning = [copy.deepcopy(network.state_dict()) for network in (task.encoder, task.critic)]
    values = advance(task, 3, fraction=0.5)
    assert {"squares", "pyramid", "perceptual", "identity", "offsets", "critic", "latent", "photo"} <= set(values[0])
    for network, state in zip(still, before, strict=True):
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
        assert all(parameter.grad is None for parameter in network.parameters())
    for network, state in zip((task.encoder, task.critic), learning, strict=True):
        assert any(not torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_a_photo_look_pulls_the_code_to_what_the_other_generator_shows(settings) -> None:
    """Where the pair's photo is the photo generator's own picture of a latent, the photo term finds that latent."""
    task = task_for(settings)
    batch = task.batches.draw(8, torch.device("cpu"))
    assert len(batch.drawn) == 2
    assert batch.paired.tolist() == [0, 1, 2, 3, 4, 5]
    w = task.batches.latents(6, torch.device("cpu"))
    truth = task.frozen.photo.synthesis(task.frozen.photo.w_plus(w))
    ws = task.frozen.photo.w_plus(torch.cat([w, batch.drawn])).clone()
    right = encoder_terms(evolve(batch, photo=truth), Latent(ws, {}), task.frozen, settings.weights)
    assert right["photo"] < 1e-4
    assert right["latent"] == 0
    assert right["offsets"] < 1e-4
    wrong = encoder_terms(evolve(batch, photo=truth), Latent(ws.flip(0), {}), task.frozen, settings.weights)
    assert wrong["photo"] > 0.05


def test_renders_and_their_photo_looks_are_mirrored_together_and_reserved_ones_never_drawn(settings) -> None:
    renders = read_renders(settings.data, 16)
    task = task_for(settings)
    pixels = renders.pictures
    assert len(renders.training) == 4
    assert len(renders.reserved) == 2
    free = {pixels[i].tobytes() for i in renders.training} | {pixels[i][:, ::-1].tobytes() for i in renders.training}
    photos = {pixels[renders.twin[i]].tobytes(): pixels[i] for i in renders.training}
    seen = 0
    for seed in range(6):
        torch.manual_seed(seed)
        batch = task.batches.draw(8, torch.device("cpu"))
        for render, photo in zip(to_bytes(batch.render[:6]), to_bytes(batch.photo), strict=True):
            assert render.tobytes() in free
            plain = photos.get(photo.tobytes())
            mirrored = photos.get(np.ascontiguousarray(photo[:, ::-1]).tobytes())
            seen += plain is None
            assert np.array_equal(render, plain if plain is not None else mirrored[:, ::-1])
    assert seen > 0


def test_a_quarter_of_the_pictures_is_drawn_in_parts_of_any_size(settings) -> None:
    task = task_for(settings)
    torch.manual_seed(0)
    cpu = torch.device("cpu")
    assert [len(task.batches.draw(8, cpu).drawn) for _ in range(5)] == [2] * 5
    counts = [len(task.batches.draw(1, cpu).drawn) for _ in range(60)]
    assert set(counts) == {0, 1}
    assert 5 < sum(counts) < 30


def to_bytes(pictures: Tensor) -> np.ndarray:
    """[N3RR] −1…1 → (N, R, R, 3) uint8."""
    return np.ascontiguousarray(((pictures + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy())


def test_layers_are_freed_one_after_the_other() -> None:
    settings = ProgressiveSettings(begins=0.2, ends=0.6)
    counts = [free_layers(fraction, 10, settings) for fraction in np.linspace(0, 1, 101)]
    assert counts == sorted(counts)
    assert (counts[0], counts[19], counts[21], counts[60], counts[100]) == (0, 0, 1, 9, 9)
    assert set(counts) == set(range(10))
    ws = torch.randn(2, 5, 3)
    assert torch.equal(limited(ws, 4), ws)
    one = limited(ws, 1)
    assert torch.equal(one[:, :2], ws[:, :2])
    assert torch.equal(one[:, 2:], ws[:, :1].expand(-1, 3, -1))
    assert offset_lengths(limited(ws, 0)) < 1e-4
    moved = torch.zeros(1, 3, 2)
    moved[0, 1] = torch.tensor([3.0, 4.0])
    assert offset_lengths(moved).item() == pytest.approx(5.0, abs=1e-4)


def test_the_latent_critic_tells_drawn_codes_from_others_and_pulls_them_back(settings) -> None:
    task = task_for(evolve(settings, rates=evolve(settings.rates, critic=1e-2)))
    far = [task.batches.latents(8, torch.device("cpu"))[:, None] + 2.0]
    for step in range(40):
        torch.manual_seed(step)
        task.update_critic(far, Moment(step, 0, 0.0), {})
    critic: LatentCritic = task.critic
    drawn = task.batches.latents(32, torch.device("cpu"))
    assert critic(drawn).mean() > critic(far[0][:, 0]).mean() + 0.5
    codes = far[0][:, 0].clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(generator_adversarial(critic(codes)), codes)
    assert (-gradient).mean() < 0  # downhill leads back towards the drawn ones


@pytest.mark.parametrize("kind", ["identity", "discriminator"])
def test_the_perceptual_distance_is_of_frozen_activations(kind) -> None:
    torch.manual_seed(0)
    network = IdentityNetwork() if kind == "identity" else Discriminator(TINY)
    network.eval().requires_grad_(False)
    observe = identity_activations if kind == "identity" else discriminator_activations
    distance = ActivationDistance(lambda pictures: observe(network, pictures))
    side = 64 if kind == "identity" else 16
    target = torch.rand(2, 3, side, side) * 2 - 1
    near, far = target + 0.02 * torch.randn_like(target), torch.rand(2, 3, side, side) * 2 - 1
    assert distance(target, target) == 0
    assert 0 < distance(near, target) < distance(far, target)
    picture = far.clone().requires_grad_(True)
    distance(picture, target).backward()
    assert picture.grad.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


def test_lpips_is_used_where_its_file_is_given(settings, tmp_path) -> None:
    """A TorchScript network of the public one's call stands in its place; another file is refused in one sentence."""

    class Stand(torch.nn.Module):
        def forward(self, pictures: Tensor, resize_images: bool = True, return_lpips: bool = False) -> Tensor:
            return pictures.flatten(1) / 255

    torch.jit.script(Stand()).save(str(tmp_path / "vgg16.pt"))
    given = evolve(settings, lpips=str(tmp_path / "vgg16.pt"))
    distance = perceptual_distance(given, None, 16, start_fabric(settings.run))
    assert distance is not None
    black, white = torch.full((1, 3, 4, 4), -1.0), torch.ones(1, 3, 4, 4)
    assert distance(black, white).item() == pytest.approx(48, rel=1e-5)
    (tmp_path / "no.pt").write_bytes(b"nothing")
    with pytest.raises(LifelikeError, match="LPIPS"):
        perceptual_distance(evolve(given, lpips=str(tmp_path / "no.pt")), None, 16, start_fabric(settings.run))


def test_a_run_with_features_is_resumed_to_the_same_weights_and_measured(settings, tmp_path) -> None:
    with_features = evolve(settings, encoder=evolve(SIZES, feature_resolutions=(8,)))
    run_task(EncoderTask, with_features, tmp_path / "whole", Console(quiet=True))
    run_task(EncoderTask, with_features, tmp_path / "parts", Console(quiet=True), stop_after=0.0)
    run_task(EncoderTask, with_features, tmp_path / "parts", Console(quiet=True))
    whole, parts = (load_weights(tmp_path / name / "encoder.safetensors", "encoder") for name in ("whole", "parts"))
    assert all(torch.equal(value, parts[1][name]) for name, value in whole[1].items())
    assert whole[2]["measured"] == parts[2]["measured"]
    assert {"psnr", "photo_psnr", "latent_error"} <= set(whole[2]["measured"])
    assert whole[2]["measured"]["pictures"] == 2
    assert list((tmp_path / "whole" / "sheets").glob("*.png"))


def test_what_does_not_fit_is_refused_before_any_work(settings, tmp_path) -> None:
    with pytest.raises(LifelikeError, match="No render generator"):
        task_for(evolve(settings, render=""))
    torch.manual_seed(9)
    save_weights(tmp_path / "stranger.safetensors", Generator(TINY), "generator", {})
    with pytest.raises(LifelikeError, match="different mapping"):
        task_for(evolve(settings, photo=str(tmp_path / "stranger.safetensors")))
    save_weights(tmp_path / "wide.safetensors", Generator(evolve(TINY, channel_max=32)), "generator", {})
    with pytest.raises(LifelikeError, match="other widths"):
        task_for(evolve(settings, photo=str(tmp_path / "wide.safetensors")))
    save_weights(tmp_path / "large.safetensors", Generator(evolve(TINY, resolution=32)), "generator", {})
    with pytest.raises(LifelikeError, match="32 pixels"):
        task_for(evolve(settings, photo=str(tmp_path / "large.safetensors")))
    with pytest.raises(LifelikeError, match="16 pixels a side"):
        task_for(evolve(settings, render=str(tmp_path / "large.safetensors"), photo=""))
    encoder = task_for(settings).encoder
    save_weights(tmp_path / "encoder.safetensors", encoder, "encoder", {})
    continued = task_for(evolve(settings, start=str(tmp_path / "encoder.safetensors")))
    assert all(torch.equal(value, encoder.state_dict()[name]) for name, value in continued.encoder.state_dict().items())
    assert continued.free_layers(Moment(0, 0, 0.0)) == TINY.num_ws - 1
    save_weights(tmp_path / "narrow.safetensors", Generator(evolve(TINY, w_dim=4)), "generator", {})
    wrong = evolve(settings, render=str(tmp_path / "narrow.safetensors"), photo="")
    with pytest.raises(LifelikeError, match="other widths"):
        task_for(evolve(wrong, start=str(tmp_path / "encoder.safetensors")))
    with pytest.raises(LifelikeError, match="no render"):
        task_for(evolve(settings, data=evolve(settings.data, reserved="0-700")))
