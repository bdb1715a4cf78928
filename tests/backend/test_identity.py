# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity network and its training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_up_pairs import write_pairs

from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.inner_face import inner_face
from lifelike.networks.weights import load_weights
from lifelike.training import identity as training
from lifelike.training.augmentation import box_matrix, jitter_colour, similarity_matrices, warp
from lifelike.training.identity import ArcFace
from lifelike.training.loop import train_for
from lifelike_protocol.errors import ErrorCode, LifelikeError


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


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch) -> None:
    weights = torch.nn.Linear(1, 1)
    optimiser = torch.optim.SGD(weights.parameters(), lr=0.1, momentum=0.9)
    fractions: list[float] = []

    def step(fraction: float) -> dict[str, float]:
        fractions.append(fraction)
        if len(fractions) == 3:
            raise KeyboardInterrupt
        weights(torch.ones(1, 1)).sum().backward()
        optimiser.step()
        return {"loss": 1.0}

    parts = {"weights": weights, "optimiser": optimiser}
    checkpoint = tmp_path / "run.checkpoint"
    monkeypatch.setattr("lifelike.training.loop.CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        train_for(1.0, step, parts, checkpoint, seed=3)
    reached = weights.weight.item()
    with torch.no_grad():
        weights.weight.zero_()
    again: list[float] = []

    def second(fraction: float) -> dict[str, float]:
        again.append(weights.weight.item())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_for(1.0, second, parts, checkpoint, seed=3)
    assert again == [reached]
    with pytest.raises(LifelikeError) as caught:
        train_for(1.0, second, {"weights": torch.nn.Linear(7, 1)}, checkpoint, seed=3)
    assert caught.value.code is ErrorCode.INVALID_FILE


def test_a_diverging_run_is_stopped(tmp_path) -> None:
    with pytest.raises(LifelikeError, match="diverged"):
        train_for(1.0, lambda _: {"loss": float("nan")}, {}, tmp_path / "x", seed=0)


def test_training_writes_a_network_that_loads(tmp_path) -> None:
    """A few real steps on drawn faces: what is saved loads, with its settings and what was measured."""
    write_pairs(tmp_path, people=[40, 41, 600, 601], poses=2, size=64)
    out = tmp_path / "identity.safetensors"
    measured = training.train(tmp_path, out, minutes=0.01, batch=4)
    assert measured["people"] == 2
    settings, state, card = load_weights(out, "identity")
    network = IdentityNetwork(settings)
    network.load_state_dict(state)
    assert card["people"] == 2
    assert card["steps"] >= 1
    assert np.isfinite(network.eval()(torch.zeros(1, 3, 128, 128)).detach().numpy()).all()
    assert not out.with_suffix(".checkpoint").exists()
