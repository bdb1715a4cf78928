# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain paired U-Net: it learns, resumes, and stands in the table; what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from attrs import evolve
from rich.console import Console

from lifelike.datasets.pairs import load_pairs
from lifelike.evaluation.baselines.paired_unet import PairedUnet
from lifelike.evaluation.closeness import psnr
from lifelike.evaluation.material import material_of_pairs
from lifelike.evaluation.unet.settings import UnetData, UnetSettings
from lifelike.evaluation.unet.task import UnetTask
from lifelike.networks.unet import UNet, UNetSettings
from lifelike.networks.weights import load_weights, save_weights
from lifelike.training.processes import start_fabric
from lifelike.training.run import run_task
from lifelike.training.task import RunSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import write_pairs

SMALL = UNetSettings(resolution=64, patch=2, width=8, width_max=16, levels=3)


def settings_for(folder: Path, pictures: int = 16, **run: object) -> UnetSettings:
    given = {"batch": 4, "accelerator": "cpu", "threads": 1, "precision": "32-true", **run}
    return UnetSettings(
        run=RunSettings(pictures=pictures, **given), data=UnetData((str(folder),)), network=SMALL, rate=1e-2, average=50
    )


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    write_pairs(folder, people=[40, 600, 601], poses=2, size=64)
    return folder


def test_it_starts_as_the_untouched_picture_whatever_the_size() -> None:
    torch.manual_seed(0)
    network = UNet(SMALL)
    for size in (64, 96):
        pictures = torch.rand(2, 3, size, size)
        assert torch.equal(network(pictures), pictures)
    assert SMALL.widths == (8, 16, 16)


def test_it_learns_the_photo_look_and_is_measured(heads, tmp_path) -> None:
    """On these pairs the photo look is brighter, which a few steps learn."""
    run_task(UnetTask, settings_for(heads, 160), tmp_path, Console(quiet=True))
    pairs = load_pairs(heads, 64)
    baseline = PairedUnet(tmp_path, 64)
    batch = next(material_of_pairs(pairs, pairs.identity == 40).batches(2))  # somebody it has not seen
    made = baseline.make(batch)["unet"]
    after, before = (psnr(pictures[0], batch.truths[0], batch.masks[0]) for pictures in (made, batch.inputs))
    assert after > before + 3
    assert "160 pictures" in baseline.subjects[0].title
    assert list((tmp_path / "sheets").glob("*.png"))


def test_an_interrupted_run_ends_with_the_same_weights(heads, tmp_path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    run_task(UnetTask, settings_for(heads), whole, Console(quiet=True))
    settings = settings_for(heads, save_every=4)
    run_task(UnetTask, settings, broken, Console(quiet=True), stop_after=0.0)
    _, _, card = load_weights(broken / "unet.safetensors", "unet")
    assert card["pictures"] < 16
    run_task(UnetTask, settings, broken, Console(quiet=True))
    first, second = (PairedUnet(folder, 64).network.state_dict() for folder in (whole, broken))
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def test_reserved_people_are_not_trained_on(heads) -> None:
    task = UnetTask(settings_for(heads), start_fabric(settings_for(heads).run))
    assert set(task.pairs.identity.tolist()) == {600, 601}
    assert set(task.shown.identity.tolist()) == {40}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: evolve(s, data=UnetData()), "at least one data set"),
        (lambda s: evolve(s, data=evolve(s.data, reserved="0-9999")), "reserved"),
        (lambda s: evolve(s, network=evolve(SMALL, resolution=60)), "60 pixels"),
        (lambda s: evolve(s, network=evolve(SMALL, width=12)), "widths"),
        (lambda s: evolve(s, network=evolve(SMALL, resolution=128)), "128"),
    ],
)
def test_what_cannot_be_trained_is_refused(heads, change, words) -> None:
    settings = change(settings_for(heads))
    with pytest.raises(LifelikeError, match=words) as caught:
        UnetTask(settings, start_fabric(settings.run))
    assert caught.value.remedy


def test_a_foreign_or_damaged_network_is_refused(tmp_path) -> None:
    save_weights(tmp_path / "unet.safetensors", UNet(SMALL), "unet", {})
    with pytest.raises(LifelikeError) as caught:
        PairedUnet(tmp_path, 128)
    assert caught.value.code is ErrorCode.INVALID_SETTING
    network = UNet(SMALL)
    network.settings = evolve(SMALL, width=16)  # type: ignore[assignment]
    save_weights(tmp_path / "unet.safetensors", network, "unet", json.loads("{}"))
    with pytest.raises(LifelikeError) as caught:
        PairedUnet(tmp_path, 64)
    assert caught.value.code is ErrorCode.INVALID_FILE
