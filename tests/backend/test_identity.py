# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity network and its training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from rich.console import Console

from lifelike.evaluation.embedder import SECOND_IDENTITY_FILE
from lifelike.evaluation.judges import load_identity_judge
from lifelike.networks.identity import ARCHITECTURES, IdentityNetwork
from lifelike.networks.inner_face import inner_face
from lifelike.networks.residual import ResidualBlock
from lifelike.networks.weights import load_weights
from lifelike.training.disturbance import box_matrix, jitter_colour, similarity_matrices, warp
from lifelike.training.identity.arcface import ArcFace
from lifelike.training.identity.measure import measure, recognition
from lifelike.training.identity.settings import DisturbanceSettings, IdentitySettings
from lifelike.training.identity.task import IdentityTask
from lifelike.training.portraits import PortraitData, read_portraits
from lifelike.training.processes import start_fabric
from lifelike.training.run import run_task
from lifelike.training.task import Moment, RunSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import write_pairs


def test_embeddings_have_length_one_at_any_size() -> None:
    network = IdentityNetwork().eval()
    for side in (64, 128, 256):
        embeddings = network(torch.rand(2, 3, side, side) * 2 - 1)
        assert embeddings.shape == (2, 128)
        torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(2))
    assert sum(parameter.numel() for parameter in network.parameters()) <= 1_000_000


def test_gradients_reach_the_picture() -> None:
    network = IdentityNetwork().eval().requires_grad_(False)
    portrait = (torch.rand(1, 3, 128, 128) * 2 - 1).requires_grad_()
    other = network(torch.rand(1, 3, 128, 128) * 2 - 1)
    (1 - (network(portrait) * other).sum()).backward()
    assert portrait.grad is not None
    assert portrait.grad.abs().sum() > 0


def test_the_rim_of_the_portrait_does_not_count() -> None:
    network = IdentityNetwork().eval()
    portrait = torch.rand(1, 3, 128, 128) * 2 - 1
    changed = portrait.clone()
    changed[..., :10, :] = 1
    changed[..., :8] = -1
    assert network.similarity(portrait, changed).item() == pytest.approx(1, abs=1e-6)
    changed[..., 60:90, 40:90] = -1
    assert network.similarity(portrait, changed).item() < 0.999


def test_training_sees_the_same_box_as_the_network() -> None:
    picture = torch.nn.functional.interpolate(torch.rand(1, 3, 6, 6), (128, 128), mode="bicubic")
    box = (0.125, 0.25, 0.875, 0.9375)
    still = similarity_matrices(1, 0, (1, 1), 0, flip=False) @ box_matrix(box)
    assert (warp(picture, still, 96) - inner_face(picture, box, 96)).abs().max() < 0.03


def test_margin_makes_the_right_class_harder() -> None:
    torch.manual_seed(0)
    loss = ArcFace(classes=5, embedding=8)
    embeddings = torch.nn.functional.normalize(loss.centres.detach()[:3], dim=1)
    classes = torch.tensor([0, 1, 2])
    plain, hard = loss(embeddings, classes, share=0.0), loss(embeddings, classes, share=1.0)
    assert hard > plain
    cosines = embeddings @ torch.nn.functional.normalize(loss.centres, dim=1).T
    expected = torch.nn.functional.cross_entropy(loss.scale * cosines.clamp(-0.9999, 0.9999), classes)
    torch.testing.assert_close(plain, expected)


def test_colour_jitter_of_nothing_changes_nothing() -> None:
    torch.manual_seed(0)
    grey = torch.full((4, 3, 8, 8), 0.5)
    jittered = jitter_colour(grey, hue=1.0, saturation=0.9, contrast=0.0, brightness=0.0)
    # Grey has no hue to turn; only gamma may act, alike on all channels.
    assert (jittered.amax(1) - jittered.amin(1)).max() < 2e-3


def test_the_two_architectures_have_one_interface() -> None:
    portraits = torch.rand(2, 3, 128, 128) * 2 - 1
    for name in ARCHITECTURES:
        network = IdentityNetwork({"architecture": name}).eval()
        assert network.settings["architecture"] == name
        assert network(portraits).shape == (2, network.settings["embedding"])
        torch.testing.assert_close(network.similarity(portraits, portraits), torch.ones(2))
        assert sum(parameter.numel() for parameter in network.parameters()) <= 1_500_000
    kinds = {name: {type(part) for part in IdentityNetwork({"architecture": name}).modules()} for name in ARCHITECTURES}
    assert ResidualBlock in kinds["residual"]
    assert ResidualBlock not in kinds["plain"]
    with pytest.raises(LifelikeError, match="architecture 'wide'") as caught:
        IdentityNetwork({"architecture": "wide"})
    assert caught.value.code is ErrorCode.INVALID_SETTING


def settings_for(folder: Path, architecture: str = "residual", **run: object) -> IdentitySettings:
    """Settings of a short run on drawn faces."""
    return IdentitySettings(
        architecture=architecture,
        resolution=64,
        data=PortraitData((str(folder),)),
        run=RunSettings(**{"batch": 4, "pictures": 8, "accelerator": "cpu", "threads": 1, **run}),
    )


@pytest.mark.parametrize("architecture", ["residual", "plain"])
def test_training_writes_a_network_that_every_judge_loads(tmp_path, architecture) -> None:
    """A few real steps on drawn faces: what is saved loads by its own settings, with what was measured."""
    write_pairs(tmp_path, people=[40, 41, 600, 601], poses=2, size=64)
    run_task(IdentityTask, settings_for(tmp_path, architecture), tmp_path / "run", Console(quiet=True))
    file = tmp_path / "run" / "identity.safetensors"
    _, _, card = load_weights(file, "identity")
    assert (card["people"], card["measured"]["people"], card["steps"]) == (2, 2, 2)
    judge = load_identity_judge(file)
    assert judge.settings["architecture"] == architecture
    assert np.isfinite(judge(torch.zeros(1, 3, 128, 128)).numpy()).all()


def test_reserved_identities_are_never_drawn(tmp_path) -> None:
    """Reserved people have skins no other has: no batch shows one, and their classes do not exist."""
    write_pairs(tmp_path, people=[5, 79, 80, 600], poses=1, size=64)
    task = IdentityTask(settings_for(tmp_path), start_fabric(RunSettings(accelerator="cpu")))
    assert set(task.reserved.person) == {5, 79}
    assert task.sampler.people == 2
    drawn = {tuple(picture[:, 40, 32].tolist()) for picture in task.sampler.pictures}
    kept = {tuple(picture[40, 32].tolist()) for picture in task.reserved.pictures}
    assert len(drawn) == len(kept) == 4
    assert not drawn & kept
    with pytest.raises(LifelikeError, match="1 known people"):
        IdentityTask(evolve(settings_for(tmp_path), data=PortraitData((str(tmp_path),), "0-80")), task.fabric)


def test_people_of_several_data_sets_are_joined(tmp_path) -> None:
    """One number is one person everywhere; shots of different sets stay apart."""
    for name, people in (("a", [100, 101]), ("b", [101, 102])):
        (tmp_path / name).mkdir()
        write_pairs(tmp_path / name, people=people, poses=2, size=16)
    both = read_portraits(PortraitData((str(tmp_path / "a"), str(tmp_path / "b"))), 16)
    assert sorted(set(both.person)) == [100, 101, 102]
    assert (np.unique(both.shot, return_counts=True)[1] == 2).all()
    assert len(set(both.shot)) == 8
    for shot in set(both.shot):
        assert set(both.look[both.shot == shot]) == {"render", "photo"}
        assert len(set(both.person[both.shot == shot])) == 1
    with pytest.raises(LifelikeError, match="No data set"):
        read_portraits(PortraitData(), 16)


def test_a_handful_of_people_is_learnt_by_heart(tmp_path) -> None:
    """Three drawn people, told apart by their skin alone, are all recognised after some seconds."""
    write_pairs(tmp_path, people=[100, 101, 102], poses=1, size=64)
    still = DisturbanceSettings(turn=0.0, size=0.01, shift=0.0, hue=0.0, brightness=0.0, blur=0.3, backdrop=0.0)
    settings = evolve(settings_for(tmp_path, batch=12), disturbance=still)
    task = IdentityTask(settings, start_fabric(settings.run))
    recognised = []
    for step in range(40):
        torch.manual_seed(step)
        recognised.append(float(task.step(Moment(step, 12 * step, step / 40))["recognised"]))
    assert np.mean(recognised[-10:]) > 0.95
    assert np.mean(recognised[-10:]) > np.mean(recognised[:10])


def test_recognition_asks_across_looks_and_shots() -> None:
    """Embeddings that carry the person in one half and the shot in the other: each question sees its own half."""
    person = np.repeat([0, 1, 2], 4)
    shot = np.repeat(np.arange(6), 2)
    look = np.tile(["render", "photo"], 6)
    by_person = np.eye(3, dtype=np.float32)[person]
    perfect = recognition(by_person, person, shot, look)
    assert perfect["rank_one_cross_look"] == perfect["rank_one_cross_both"] == perfect["rank_one_cross_pose"] == 1.0
    by_shot = np.eye(6, dtype=np.float32)[shot]
    memory = recognition(by_shot, person, shot, look)
    assert memory["rank_one_cross_look"] == 1.0
    assert memory["rank_one_cross_both"] < 1.0
    assert recognition(by_person[:4], person[:4], shot[:4], look[:4]) == {"people": 1.0, "pictures": 4.0}


def test_the_second_network_that_is_shipped_knows_people_it_never_met(shared_folder, tmp_path) -> None:
    """The evaluation's independent judge: another architecture than the built-in bundle's, right for 85 in 100."""
    rows = (shared_folder / "heads" / "index.jsonl").read_text().splitlines()
    reserved = [row for row in rows if int(json.loads(row)["identity"]) < 80]  # the others need not be decoded
    (tmp_path / "index.jsonl").write_text("\n".join(reserved))
    for name in (json.loads(row)[look] for row in reserved for look in ("render", "photo")):
        shutil.copyfile(shared_folder / "heads" / name, tmp_path / name)
    network = load_identity_judge(SECOND_IDENTITY_FILE)
    assert network.settings["architecture"] == "plain"
    measured = measure(network, read_portraits(PortraitData((str(tmp_path),)), 128))
    assert measured["people"] == 40
    assert measured["rank_one_cross_both"] >= 0.85
    _, _, card = load_weights(SECOND_IDENTITY_FILE, "identity")
    assert measured["rank_one_cross_both"] == pytest.approx(card["measured"]["rank_one_cross_both"], abs=0.02)
