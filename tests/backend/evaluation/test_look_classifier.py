# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation's judge of looks: its training material, and a training that can be interrupted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from PIL import Image
from rich.console import Console

from lifelike.datasets.pairs import load_pairs
from lifelike.evaluation.judges import load_look_classifier
from lifelike.evaluation.look_classifier.measure import measure
from lifelike.evaluation.look_classifier.sampler import LookSampler, compress
from lifelike.evaluation.look_classifier.settings import LookSettings
from lifelike.evaluation.look_classifier.task import LookTask
from lifelike.networks.look_classifier import LookClassifier
from lifelike.networks.weights import load_weights
from lifelike.training.portraits import PortraitData
from lifelike.training.processes import start_fabric
from lifelike.training.run import run_task
from lifelike.training.task import Moment, RunSettings
from lifelike_protocol.errors import LifelikeError
from made_up_pairs import write_pairs


def settings_for(folder: Path, **run: object) -> LookSettings:
    """Settings of a short run on drawn faces."""
    return LookSettings(
        resolution=64,
        pool=3,
        data=PortraitData((str(folder),)),
        run=RunSettings(**{"batch": 4, "pictures": 24, "accelerator": "cpu", "threads": 1, **run}),
    )


def test_batches_are_half_of_each_look(tmp_path) -> None:
    write_pairs(tmp_path, people=[600, 601], poses=1, size=64)
    sampler = LookSampler(load_pairs(tmp_path, 64))
    torch.manual_seed(0)
    crops, looks = sampler.draw(64, LookClassifier(), force=0.0)
    assert crops.shape == (64, 3, 88, 88)
    assert looks.tolist() == [0, 1] * 32
    # The drawn photo look is the brighter one; but for gamma, nothing hides it without disturbances.
    middle = crops[:, :, 30:50, 30:58].mean((1, 2, 3))
    assert middle[looks > 0].mean() > middle[looks < 1].mean()


def test_compression_changes_a_share_of_the_pictures() -> None:
    torch.manual_seed(0)
    pictures = torch.rand(16, 3, 16, 16)
    changed = ((compress(pictures, 0.5) - pictures).abs().amax((1, 2, 3)) > 0).sum()
    assert 3 <= changed <= 13
    assert torch.equal(compress(pictures, 0.0), pictures)


def test_training_writes_a_judge_and_survives_an_interruption(tmp_path) -> None:
    """Stopped half way and continued, a run ends with the same weights: the kept batches are part of the checkpoint."""
    write_pairs(tmp_path, people=[600, 601], poses=1, size=64)
    settings = settings_for(tmp_path)
    run_task(LookTask, settings, tmp_path / "whole", Console(quiet=True))
    run_task(LookTask, settings, tmp_path / "parts", Console(quiet=True), stop_after=0.0)
    files = [tmp_path / name / "look_classifier.safetensors" for name in ("whole", "parts")]
    assert load_weights(files[1], "look_classifier")[2]["pictures"] < 24
    run_task(LookTask, settings, tmp_path / "parts", Console(quiet=True))
    whole, parts = (load_look_classifier(file).state_dict() for file in files)
    for name, value in whole.items():
        assert torch.equal(value, parts[name]), name


def test_a_set_without_people_to_train_on_is_refused(tmp_path) -> None:
    write_pairs(tmp_path, people=[3], poses=1, size=64)
    fabric = start_fabric(RunSettings(accelerator="cpu"))
    with pytest.raises(LifelikeError, match="reserved person"):
        LookTask(settings_for(tmp_path), fabric)
    with pytest.raises(LifelikeError, match="No data set"):
        LookTask(evolve(settings_for(tmp_path), data=PortraitData()), fabric)


def test_two_looks_are_learnt_by_heart(tmp_path) -> None:
    write_pairs(tmp_path, people=[600, 601], poses=1, size=64)
    pattern = np.kron(np.indices((16, 16)).sum(0) % 2 * 80 - 40, np.ones((4, 4)))[..., None]
    for file in tmp_path.glob("*_photo.png"):
        Image.fromarray((np.asarray(Image.open(file)) + pattern).clip(0, 255).astype(np.uint8)).save(file)
    settings = settings_for(tmp_path, batch=8)
    task = LookTask(settings, start_fabric(settings.run))
    right = []
    for step in range(24):
        torch.manual_seed(step)
        right.append(float(task.step(Moment(step, 8 * step, 0.04))["right"]))
    assert np.mean(right[-8:]) > 0.9
    measured = measure(task.network, load_pairs(tmp_path, 64))
    assert measured["pictures"] == 4
    assert measured["roc_auc"] == 1.0
