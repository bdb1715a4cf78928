# SPDX-License-Identifier: GPL-3.0-or-later
"""The paired training on a handful of drawn pairs: it learns, resumes bit for bit, grows, and makes a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from PIL import Image
from typer.testing import CliRunner

from lifelike.bundles import read_bundle
from lifelike.bundles.assembly import assemble_bundle
from lifelike.cli import app
from lifelike.networks.stylegan2 import Generator, GeneratorSettings
from lifelike.training.networks import load_encoder, load_generator
from lifelike.training.pair.augmentation import finest_band, paired_jitter
from lifelike.training.pair.settings import EncoderSizes, PairData, PairRates, PairSettings, PairWeights
from lifelike.training.pair.start import shrink_weights
from lifelike.training.pair.task import PairTask
from lifelike.training.processes import start_fabric
from lifelike.training.run import run_task
from lifelike.training.task import Moment, RunSettings
from lifelike.transfer import transfer_portraits
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

SMALL = GeneratorSettings(64, channel_base=512, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)


@pytest.fixture(scope="module")
def heads(face_landmarks: Callable[..., np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pairs of 64 px and a reserved one: a coloured blob, and the same redder and darker as its photo look."""
    folder = tmp_path_factory.mktemp("heads")
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    blob = np.exp(-((x - 32) ** 2 + (y - 34) ** 2) / 300)[..., None]
    marks = face_landmarks((32, 34), 26).tolist()
    lines = []
    for identity in (1, 100, 101, 102, 103):
        render = 40 + 160 * blob * rng.uniform(0.5, 1, 3)
        names = {look: f"{identity:05d}_0_{look}.png" for look in ("render", "photo")}
        Image.fromarray(render.astype(np.uint8)).save(folder / names["render"])
        Image.fromarray((render * [1.0, 0.8, 0.7]).astype(np.uint8)).save(folder / names["photo"])
        lines.append(json.dumps({"identity": f"{identity:05d}", "pose": 0, **names, "lm68": marks}))
    (folder / "index.jsonl").write_text("\n".join(lines))
    return folder


def small(heads: Path, **weights: float) -> PairSettings:
    return PairSettings(
        run=RunSettings(batch=4, pictures=32, save_every=8, precision="32-true", accelerator="cpu", devices="1"),
        data=PairData(pairs=(str(heads),)),
        generator=SMALL,
        encoder=EncoderSizes(width=16, width_max=32, patch=1, feature_resolutions=(16, 32)),
        rates=PairRates(warm_up=5),
        weights=PairWeights(**{"r1_every": 2, "adversarial_rise": 1, **weights}),
    )


def started(settings: PairSettings) -> PairTask:
    torch.manual_seed(0)
    return PairTask(settings, start_fabric(settings.run))


def advance(task: PairTask, step: int) -> dict[str, float]:
    torch.manual_seed(step)
    return {key: float(value) for key, value in task.step(Moment(step, 4 * step, 0.0)).items()}


def test_an_interrupted_run_resumes_to_the_same_numbers(heads: Path) -> None:
    whole, first, second = (started(small(heads)) for _ in range(3))
    values = [advance(whole, step) for step in range(4)]
    for step in range(2):
        advance(first, step)
    second.restore(first.state())
    assert [advance(second, step) for step in range(2, 4)] == values[2:]
    for a, b in zip(whole.average.state_dict().values(), second.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert {"adversarial", "critic", "r1", "texture"} <= {key for found in values for key in found}


def test_the_pair_learns_the_change_of_look(heads: Path) -> None:
    task = started(small(heads, adversarial_from=10**9, feature_drop=0.0))
    values = [advance(task, step) for step in range(40)]
    early, late = values[:4], values[-4:]
    assert np.mean([v["difference"] for v in late]) < 0.6 * np.mean([v["difference"] for v in early])
    assert np.mean([v["render"] for v in late]) < 0.5 * np.mean([v["render"] for v in early])


def test_reserved_identities_are_never_drawn(heads: Path) -> None:
    task = started(small(heads))
    assert set(task.data.pairs.identity) == {100, 101, 102, 103}
    assert set(task.held_out.identity) == {1}


def test_renders_without_a_photo_look_train_no_paired_term(heads: Path) -> None:
    settings = small(heads, adversarial_from=10**9, texture_unpaired=0.0)
    task = started(evolve(settings, data=evolve(settings.data, faces=(str(heads),), share_faces=1.0)))
    values = advance(task, 0)
    assert values["photo"] == values["difference"] == values["texture"] == values["detail"] == 0
    assert values["render"] > 0


def test_half_of_the_jittered_pictures_keep_their_grain() -> None:
    torch.manual_seed(0)
    grain = (torch.rand(200, 1, 16, 16) > 0.5).float()
    (moved,) = paired_jitter([grain])
    inner = moved[:, :, 4:-4, 4:-4]
    kept = ((inner - inner.round()).abs().amax((1, 2, 3)) < 1e-4).float().mean()
    assert 0.35 < float(kept) < 0.65


def test_the_discriminator_sees_detail_and_neither_colour_nor_light() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(-0.5, 0.5, 32).expand(1, 3, 32, 32) + torch.tensor([0.1, 0.0, -0.2])[:, None, None]
    grain = 0.05 * torch.randn(1, 3, 32, 32)
    inside = (..., slice(2, -2), slice(2, -2))
    assert float(finest_band(ramp)[inside].abs().max()) < 1e-4
    assert float(finest_band(ramp + grain)[inside].std()) > 0.2


def test_accumulated_parts_make_the_same_size_of_update(heads: Path) -> None:
    settings = small(heads)
    task = started(evolve(settings, run=evolve(settings.run, accumulate=2)))
    drawn = []
    draw = task.data.draw
    task.data.draw = lambda count, *rest: (drawn.append(count), draw(count, *rest))[1]  # type: ignore[method-assign]
    advance(task, 0)
    assert drawn == [2, 2]


def test_a_run_makes_a_bundle(heads: Path, tmp_path: Path) -> None:
    assert not run_task(PairTask, evolve(small(heads), run=evolve(small(heads).run, pictures=8)), tmp_path / "run")
    assert len(list((tmp_path / "run" / "sheets").glob("*.png"))) == 2
    run, made = str(tmp_path / "run"), tmp_path / "own.safetensors"
    networks = ["--photo", run, "--render", run, "--encoder", run]
    told = CliRunner().invoke(app, ["bundles", "make", "own", *networks, "--licence", "CC0-1.0", "-o", str(made)])
    assert told.exit_code == 0, told.output
    portraits = torch.rand(1, 3, 64, 64) * 2 - 1
    bundle = read_bundle(made)
    encoder, photo = load_encoder(run), load_generator(run)
    with torch.no_grad():
        latent = encoder(portraits)
        expected = photo.synthesis(latent.ws, features=latent.features).clamp(-1, 1)
    assert torch.allclose(transfer_portraits(bundle, portraits, Method.DECODE), expected, atol=0.03)  # half precision
    assert bundle.card.licence == "CC0-1.0"


def test_growing_keeps_the_pictures(heads: Path, tmp_path: Path) -> None:
    run_task(PairTask, evolve(small(heads), run=evolve(small(heads).run, pictures=8)), tmp_path / "run")
    run = tmp_path / "run"
    bundle = assemble_bundle(
        load_generator(run, "photo"),
        load_generator(run, "render"),
        load_encoder(run),
        name="small",
        description="",
        licence="",
    )
    bundle.save(tmp_path / "small.safetensors")
    settings = small(heads)
    generator = evolve(SMALL, resolution=128)
    sizes = EncoderSizes(width=16, width_max=32, patch=2, feature_resolutions=(16, 32, 64))
    grown = started(
        evolve(
            settings,
            generator=generator,
            encoder=sizes,
            start=str(tmp_path / "small.safetensors"),
            data=evolve(settings.data, pairs=(str(enlarged(heads, tmp_path / "large")),)),
        )
    )
    portraits = torch.rand(1, 3, 64, 64) * 2 - 1
    large = torch.nn.functional.interpolate(portraits, scale_factor=2)
    with torch.no_grad():
        latent = grown.encoder(large)
        made = grown.photo.synthesis(latent.ws, features=latent.features)
        before = bundle.encoder(portraits)
        expected = bundle.photo.synthesis(before.ws, features=before.features)
    inner = slice(4, -4)
    shrunk = torch.nn.functional.avg_pool2d(made, 2)
    assert (shrunk - expected)[..., inner, inner].abs().mean() < 0.1 * expected.std()


def enlarged(heads: Path, folder: Path) -> Path:
    """The same pairs, twice the size."""
    folder.mkdir()
    lines = []
    for line in (heads / "index.jsonl").read_text().splitlines():
        row = json.loads(line)
        for look in ("render", "photo"):
            with Image.open(heads / row[look]) as picture:
                picture.resize((128, 128)).save(folder / row[look])
        row["lm68"] = (2 * np.array(row["lm68"])).tolist()
        lines.append(json.dumps(row))
    (folder / "index.jsonl").write_text("\n".join(lines))
    return folder


def test_a_start_of_other_widths_is_refused(heads: Path) -> None:
    with pytest.raises(LifelikeError, match="other widths") as caught:
        started(evolve(small(heads), generator=evolve(SMALL, resolution=256), start="builtin"))
    assert caught.value.code is ErrorCode.INVALID_SETTING


def test_a_start_of_a_higher_resolution_is_refused(heads: Path) -> None:
    with pytest.raises(LifelikeError, match="pixels, this run 64"):
        started(evolve(small(heads), start="builtin"))


def test_no_data_is_told(heads: Path) -> None:
    with pytest.raises(LifelikeError, match="at least one data set"):
        started(evolve(small(heads), data=PairData()))
    with pytest.raises(LifelikeError, match="reserved identity"):
        started(evolve(small(heads), data=PairData(pairs=(str(heads),), reserved="0-200")))


def test_networks_that_do_not_belong_together_make_no_bundle(heads: Path) -> None:
    task = started(small(heads))
    other = started(small(heads))
    with torch.no_grad():
        other.render.synthesis.b8.conv0.noise_const.add_(1.0)
    with pytest.raises(LifelikeError, match="must share it"):
        assemble_bundle(task.photo, other.render, task.encoder, name="", description="", licence="")
    wide = Generator(evolve(SMALL, channel_max=8))
    with pytest.raises(LifelikeError, match="feature codes"):
        assemble_bundle(wide, wide, task.encoder, name="", description="", licence="")


def test_smaller_weights_make_the_same_pictures() -> None:
    torch.manual_seed(0)
    generator = Generator(SMALL)
    z = torch.randn(1, 16)
    before = generator(z)
    shrink_weights(generator, 0.25)
    assert torch.allclose(generator(z), before, atol=1e-4)
