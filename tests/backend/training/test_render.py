# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tuning the photo generator's copy: what learns, what stands still, what is shared, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attrs import evolve
from PIL import Image
from typer.testing import CliRunner

from lifelike.cli import app
from lifelike.networks.encoder import Encoder, EncoderSettings
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.networks.weights import save_weights
from lifelike.training.adversarial import AdversarialSettings
from lifelike.training.networks import load_generator
from lifelike.training.portraits import PortraitData
from lifelike.training.processes import start_fabric
from lifelike.training.render.settings import BalanceSettings, FreezingSettings, RenderSettings, TermSettings
from lifelike.training.render.task import RenderTask
from lifelike.training.task import Moment, RunSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import write_pairs

SMALL = GeneratorSettings(32, channel_base=256, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)
NO_TERMS = TermSettings(identity=0.0, geometry=0.0, colour=0.0, structure=0.0, features=0.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of pairs and a run of the photo generator as it could have been trained."""
    folder = tmp_path_factory.mktemp("render")
    (folder / "pairs").mkdir()
    write_pairs(folder / "pairs", [3, 100, 101, 102, 103], 1, 32)
    torch.manual_seed(1)
    generator = Generator(SMALL)
    with torch.no_grad():
        generator.mapping.w_avg.normal_()
        for resolution in SMALL.resolutions:
            generator.synthesis.block(resolution).torgb.weight.mul_(0.1)
            generator.synthesis.block(resolution).conv1.noise_strength.fill_(0.1)
    save_weights(folder / "photo" / "photo.safetensors", generator, "generator", {})
    save_weights(folder / "photo" / "discriminator.safetensors", Discriminator(SMALL), "discriminator", {})
    save_weights(folder / "identity.safetensors", IdentityNetwork(), "identity", {})
    return folder


def small(folder: Path, **settings: Any) -> RenderSettings:
    values: dict[str, Any] = {
        "start": str(folder / "photo"),
        "data": PortraitData((str(folder / "pairs"),)),
        "run": RunSettings(batch=4, pictures=64, precision="32-true", accelerator="cpu", devices="1"),
    }
    return RenderSettings(**{**values, **settings})


def started(settings: RenderSettings) -> RenderTask:
    torch.manual_seed(0)
    return RenderTask(settings, start_fabric(settings.run))


def advance(task: RenderTask, step: int, fraction: float = 0.0) -> dict[str, float]:
    torch.manual_seed(step)
    return {key: float(value) for key, value in task.step(Moment(step, 4 * step, fraction)).items()}


def frozen_copy(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def moved(module: torch.nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    """Names of the tensors that are not bit for bit what they were."""
    return {name for name, value in module.state_dict().items() if not torch.equal(value, before[name])}


def test_mapping_noise_and_parent_stay_bit_for_bit(folder: Path, tmp_path: Path) -> None:
    task = started(small(folder, identity=str(folder / "identity.safetensors")))
    parent, embedder = frozen_copy(task.parent), frozen_copy(task.terms.embedder)
    for step in range(6):
        values = advance(task, step)
    assert not moved(task.parent, parent)
    assert not moved(task.terms.embedder, embedder)
    task.export(tmp_path, {})
    child, photo = load_generator(tmp_path, "render"), load_generator(folder / "photo", "photo")
    for name, value in photo.state_dict().items():
        if name.startswith("mapping.") or name.endswith("noise_const"):
            assert torch.equal(value, child.state_dict()[name]), name
    assert len(moved(child.synthesis, frozen_copy(photo.synthesis))) > 20
    names = {"adversarial", "discriminator", "identity", "geometry", "colour", "structure", "features", "similarity"}
    assert names <= set(values)


def test_the_copy_begins_as_its_parent(folder: Path) -> None:
    task = started(small(folder, identity=str(folder / "identity.safetensors")))
    values = advance(task, 0)
    assert values["similarity"] == pytest.approx(1, abs=1e-5)
    assert [values[name] for name in ("geometry", "colour", "structure", "features")] == pytest.approx(
        [0] * 4, abs=1e-6
    )


def test_a_free_mapping_is_learnt_apart_from_the_parents(folder: Path) -> None:
    task = started(small(folder, freezing=FreezingSettings(mapping=False)))
    before = frozen_copy(task.parent.mapping)
    advance(task, 0)
    assert not moved(task.parent.mapping, before)
    assert moved(task.generator.mapping, before)


def test_frozen_layers_stand_still_for_their_share_of_the_run(folder: Path) -> None:
    freezing = FreezingSettings(
        blocks=(4, 8),
        blocks_until=0.5,
        to_rgb=(8, 32),
        to_rgb_until=0.5,
        discriminator_blocks=2,
        discriminator_until=0.5,
    )
    task = started(small(folder, freezing=freezing))
    before, judge = frozen_copy(task.generator.synthesis), frozen_copy(task.discriminator)
    for step in range(2):
        advance(task, step)
    names = moved(task.generator.synthesis, before)
    assert {name.split(".")[0] for name in names if "torgb" not in name} == {"b16", "b32"}
    assert {name.split(".")[0] for name in names if "torgb" in name} == {"b4", "b16"}
    assert {name.split(".")[0] for name in moved(task.discriminator, judge)} == {"b8", "b4"}
    advance(task, 2, fraction=0.6)
    assert {name.split(".")[0] for name in moved(task.generator.synthesis, before)} == {"b4", "b8", "b16", "b32"}
    assert {name.split(".")[0] for name in moved(task.discriminator, judge)} == {"b4", "b8", "b16", "b32"}


def test_weights_reach_their_band_in_a_run(folder: Path) -> None:
    terms = TermSettings(geometry=1e-4, colour=1e3)
    balance = BalanceSettings(every=2, memory=0.0)
    task = started(small(folder, terms=terms, balance=balance, adversarial=AdversarialSettings(path_every=0)))
    values = [advance(task, step) for step in range(5)]
    measured = values[4]
    for name in ("geometry", "colour"):
        share = measured[f"norm_{name}"] * measured[f"weight_{name}"] / measured["norm_adversarial"]
        assert 0.1 - 1e-3 <= share <= 1 + 1e-3
    assert measured["weight_geometry"] > 1e-4
    assert measured["weight_colour"] < 1e3
    assert "norm_colour" not in values[0]  # copy and parent are still the same


def test_terms_hold_the_copy_to_its_parent(folder: Path) -> None:
    def strayed(terms: TermSettings) -> float:
        task = started(small(folder, terms=terms, adversarial=AdversarialSettings(path_every=0, r1_every=0)))
        for step in range(12):
            advance(task, step)
        ws = task.parent.w_plus(task.parent.mapping(torch.randn(8, 16)))
        with torch.no_grad():
            return float((task.generator.synthesis(ws) - task.parent.synthesis(ws)).abs().mean())

    held = evolve(NO_TERMS, structure=20.0, features=2.0, colour=20.0, geometry=20.0)
    assert strayed(held) < 0.8 * strayed(NO_TERMS)


def test_terms_of_weight_zero_cost_nothing(folder: Path) -> None:
    task = started(small(folder, terms=NO_TERMS))
    task.parent.synthesis.forward = None  # type: ignore[method-assign]
    values = advance(task, 0)
    assert not {"identity", "geometry", "colour", "structure", "features"} & set(values)


def test_a_folder_that_states_no_looks_is_taken_for_renders(folder: Path, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (200, 10, 10)).save(tmp_path / "a.png")
    both = started(small(folder, data=PortraitData((str(folder / "pairs"), str(tmp_path)))))
    assert len(both.pictures.pixels) == 5
    assert both.pictures.pixels[4, 0, 0].tolist() == [200, 10, 10]
    with pytest.raises(LifelikeError, match="No data set is named"):
        started(small(folder, data=PortraitData()))


def test_reserved_people_are_never_shown(folder: Path) -> None:
    assert len(started(small(folder)).pictures.pixels) == 4
    everyone = PortraitData((str(folder / "pairs"),), reserved="0-200")
    with pytest.raises(LifelikeError, match=r"data\.reserved"):
        started(small(folder, data=everyone))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_interrupted_run_continues_to_the_same_numbers(folder: Path, accumulate: int) -> None:
    run = evolve(small(folder).run, accumulate=accumulate)
    settings = small(folder, run=run, balance=BalanceSettings(every=2))
    whole, first, second = (started(settings) for _ in range(3))
    values = [advance(whole, step) for step in range(4)]
    for step in range(2):
        advance(first, step)
    second.restore(first.state())
    assert [advance(second, step) for step in range(2, 4)] == values[2:]
    assert not moved(second.average, frozen_copy(whole.average))


def test_pairs_teach_the_copy_where_a_render_belongs(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    encoder = small_encoder(16)
    save_weights(tmp_path / "encoder.safetensors", encoder, "encoder", {})
    terms = evolve(NO_TERMS, adversarial=0.0, paired=1.0)
    settings = small(
        folder,
        encoder=str(tmp_path / "encoder.safetensors"),
        terms=terms,
        mirror=False,
        data=PortraitData((str(folder / "pairs"),), reserved="0-102"),
        adversarial=AdversarialSettings(learning_rate=0.01, path_every=0, r1_every=0),
    )
    task = started(settings)
    assert len(task.paired.render) == 1  # the reserved people are left out
    for look, pixels in (("render", task.paired.render), ("photo", task.paired.photo)):
        assert np.array_equal(pixels[0], np.asarray(Image.open(folder / "pairs" / f"00103_0_{look}.png")))
    before = frozen_copy(task.paired.encoder)
    values = [advance(task, step)["paired"] for step in range(20)]
    assert np.mean(values[-4:]) < 0.6 * values[0]
    assert not moved(task.paired.encoder, before)


def small_encoder(w_dim: int) -> Encoder:
    return Encoder(
        EncoderSettings(
            resolution=32,
            num_ws=SMALL.num_ws,
            w_dim=w_dim,
            width=8,
            width_max=16,
            gathered=8,
            feature_resolutions=(),
            feature_channels=(),
        )
    )


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"start": ""}, "start"),
        ({"freezing": FreezingSettings(blocks=(64,))}, r"freezing\.blocks names 64"),
        ({"freezing": FreezingSettings(discriminator_blocks=4)}, "discriminator_blocks"),
        ({"terms": TermSettings(structure_resolutions=(128,))}, r"terms\.structure_resolutions names 128"),
        ({"balance": BalanceSettings(terms=("color",))}, "'color'"),
        ({"balance": BalanceSettings(low=2.0)}, r"balance\.low"),
        ({"look": ""}, None),
    ],
)
def test_what_does_not_fit_is_refused_before_any_work(folder: Path, changes: dict[str, Any], word: str | None) -> None:
    if word is None:
        assert len(started(small(folder, **changes)).pictures.pixels) == 8  # both looks
        return
    with pytest.raises(LifelikeError, match=word) as caught:
        started(small(folder, **changes))
    assert caught.value.code is ErrorCode.INVALID_SETTING


def test_an_encoder_of_another_generator_is_refused(folder: Path, tmp_path: Path) -> None:
    encoder = small_encoder(24)
    save_weights(tmp_path / "encoder.safetensors", encoder, "encoder", {})
    with pytest.raises(LifelikeError, match="of 24 numbers"):
        started(small(folder, encoder=str(tmp_path / "encoder.safetensors")))


def test_from_a_photo_run_to_a_render_run_by_the_command_line(folder: Path, tmp_path: Path) -> None:
    pairs, photo, render = json.dumps([str(folder / "pairs")]), tmp_path / "photo", tmp_path / "render"
    sizes = {"resolution": 16, "channel_base": 128, "channel_max": 8, "z_dim": 8, "w_dim": 8, "mapping_layers": 2}
    network = [f"network.{key}={value}" for key, value in sizes.items()]
    common = [f"data.folders={pairs}", "run.batch=4", "run.pictures=16", "run.scalars_every=4", "run.save_every=8"]
    command(["photo", "--run", str(photo)], [*network, "look=photo", *common])
    changes = [f"start={photo}", f"identity={folder / 'identity.safetensors'}", *common]
    command(["render", "--run", str(render)], changes)

    scalars = [json.loads(line) for line in (render / "scalars.jsonl").read_text().splitlines()]
    assert [line["pictures"] for line in scalars] == [4, 8, 12, 16]
    assert {"adversarial", "similarity", "norm_adversarial", "weight_colour", "ada_p", "images_per_second"} <= set(
        scalars[1]
    )
    with Image.open(render / "sheets" / "00000016.png") as sheet:
        assert sheet.size == (8 * 16, 5 * 16)
    first, second = load_generator(photo), load_generator(render, "render")
    assert torch.equal(first.mapping.fc0.weight, second.mapping.fc0.weight)
    assert not torch.equal(first.synthesis.b16.conv1.weight, second.synthesis.b16.conv1.weight)


def command(arguments: list[str], changes: list[str]) -> None:
    settings = [part for change in changes for part in ("--set", change)]
    result = CliRunner().invoke(app, ["train", *arguments, *settings], catch_exceptions=False)
    assert result.exit_code == 0, result.output
