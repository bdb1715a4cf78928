# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of published networks, of one generator or without encoder, wherever a bundle can be named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve

from lifelike.bundles import Bundle, BundleCard
from lifelike.datasets.pairs import Pairs, load_pairs
from lifelike.evaluation.evaluate import evaluate_bundle
from lifelike.evaluation.panel import Panel
from lifelike.networks.arcface import ArcFace
from lifelike.networks.e4e import E4e
from lifelike.networks.encoders import encode
from lifelike.networks.face_locator import FaceLocator
from lifelike.training.encoder.perceptual import ActivationDistance, identity_activations
from lifelike.training.networks import (
    load_encoder,
    load_generator,
    load_identity,
    load_locator,
    load_small_encoder,
)
from lifelike.training.pair.start import grow
from lifelike.training.render.paired import PairedTerm
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import write_pairs
from small_bundle import small_bundle


@pytest.fixture
def source(tmp_path: Path) -> str:
    """A file with one generator and published networks."""
    small_bundle(pair=False, published=True).save(tmp_path / "single.safetensors")
    return str(tmp_path / "single.safetensors")


@pytest.fixture
def bare(tmp_path: Path) -> str:
    """A file with one generator alone."""
    card = evolve(small_bundle().card, encoder=None, identity=None, pair=False)
    Bundle(card).save(tmp_path / "bare.safetensors")
    return str(tmp_path / "bare.safetensors")


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """Two people, two shots each."""
    (tmp_path / "pairs").mkdir()
    write_pairs(tmp_path / "pairs", [0, 1], 2, 64)
    return load_pairs([tmp_path / "pairs"], 64)


def test_training_takes_published_networks_out_of_a_bundle(source: str) -> None:
    assert load_generator(source).settings == small_bundle().card.generator
    assert isinstance(load_encoder(source), E4e)
    identity = load_identity(source)
    assert isinstance(identity, ArcFace)
    assert not identity.training
    distance = ActivationDistance(lambda pictures: identity_activations(identity, pictures))
    pictures = torch.rand(1, 3, 64, 64)
    assert float(distance(pictures, pictures)) == 0 < float(distance(pictures, pictures.flip(3)))


def test_what_a_bundle_lacks_is_named(source: str, bare: str) -> None:
    for load, missing in (
        (lambda: load_generator(source, "render"), "render generator"),
        (lambda: load_encoder(bare), "encoder"),
        (lambda: load_identity(bare), "identity network"),
        (lambda: load_locator(bare), "face locator"),
    ):
        with pytest.raises(LifelikeError, match=f"has no {missing}") as caught:
            load()
        assert caught.value.code is ErrorCode.INVALID_BUNDLE


def test_e4e_is_not_trained_on(source: str) -> None:
    with pytest.raises(LifelikeError, match="e4e"):
        load_small_encoder(source, 64)


@pytest.mark.parametrize("parts", [{"pair": False}, {"published": True}])
def test_a_pair_is_not_grown_from_other_bundles(parts: dict[str, bool]) -> None:
    target = small_bundle()
    with pytest.raises(LifelikeError, match="no generator pair") as caught:
        grow(small_bundle(**parts), target.photo, target.render, target.encoder)
    assert caught.value.code is ErrorCode.INVALID_SETTING


def test_e4e_says_where_the_people_of_pairs_are(source: str) -> None:
    encoder, generator = load_encoder(source).eval(), load_generator(source)
    pixels = np.random.default_rng(0).integers(0, 255, (2, 128, 128, 3), dtype=np.uint8)
    term = PairedTerm(pixels, pixels, encoder, torch.ones(1, 1, 128, 128), mirror=False)
    _, photo = term.draw(2)
    assert photo.shape[-1] == 128
    assert encode(encoder, photo).ws.shape == (2, generator.settings.num_ws, 16)


def test_one_generator_is_measured_by_its_decode(pairs: Pairs) -> None:
    report = evaluate_bundle(small_bundle(pair=False, published=True), pairs, Panel(), resamples=100)
    assert report.main == "decode"
    assert {subject.key for subject in report.subjects} == {"decode", "input", "truth"}


def test_what_cannot_invert_is_not_measured(pairs: Pairs) -> None:
    bundle = small_bundle()
    bundle.encoder = None
    with pytest.raises(LifelikeError, match="no encoder"):
        evaluate_bundle(bundle, pairs, Panel(), resamples=100)


def test_a_locator_beside_a_single_generator_is_kept(tmp_path: Path) -> None:
    card: BundleCard = evolve(small_bundle(pair=False).card, locator=dict(FaceLocator().settings))
    Bundle(card).save(tmp_path / "located.safetensors")
    assert load_locator(str(tmp_path / "located.safetensors")).settings == card.locator
