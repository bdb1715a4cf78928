# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the generator pair on a handful of drawn pairs: it learns, and resumes to the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from lifelike.training.pair_batches import TrainingData

from lifelike.bundles import read_bundle
from lifelike.datasets.pairs import LabelledFaces, Pairs
from lifelike.networks.stylegan2 import Generator, GeneratorSettings
from lifelike.training.export import bundle_of_runs
from lifelike.training.generator_pair import PairRun, PairTraining, shrink_weights, train
from lifelike.transfer import transfer_portraits
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

SMALL = GeneratorSettings(64, channel_base=512, channel_max=16, z_dim=16, w_dim=16, mapping_layers=2)


@pytest.fixture(scope="module")
def pairs(face_landmarks: Callable[..., np.ndarray]) -> Pairs:
    """Four pairs of 64 px: a coloured blob, and the same blob redder and darker as its photo look."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    blob = np.exp(-((x - 32) ** 2 + (y - 34) ** 2) / 300)[..., None]
    render = np.stack([40 + 160 * blob * rng.uniform(0.5, 1, 3) for _ in range(4)])
    photo = np.clip(render * [1.0, 0.8, 0.7], 0, 255)
    marks = np.stack([face_landmarks((32, 34), 26).astype(np.float32)] * 4)
    number = np.arange(100, 104)
    return Pairs(
        render.astype(np.uint8), photo.astype(np.uint8), marks, number, number * 0, number.astype(np.float32), [{}] * 4
    )


def started(pairs: Pairs, alone: LabelledFaces | None = None, **settings: float) -> PairRun:
    values = {"batch": 4, "adversarial_from": 4, "latent_every": 2, "r1_every": 2, **settings}
    return PairRun(PairTraining(**values), SMALL, TrainingData(pairs, alone))


def test_an_interrupted_run_resumes_to_the_same_numbers(pairs: Pairs, tmp_path: Path) -> None:
    whole = started(pairs)
    values = [whole.advance() for _ in range(4)]

    first = started(pairs)
    for _ in range(2):
        first.advance()
    torch.save(first.state(), tmp_path / "state.pt")
    second = started(pairs)
    second.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    assert [second.advance() for _ in range(2)] == values[2:]
    for a, b in zip(whole.average.state_dict().values(), second.average.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert {"adversarial", "critic_photo", "r1_photo", "drawn_render", "agreement"} <= {k for v in values for k in v}


def test_the_pair_learns_the_change_of_look(pairs: Pairs) -> None:
    run = started(pairs, adversarial_from=10**9, warm_up=5, feature_drop=0.0)
    values = [run.advance() for _ in range(40)]
    early = np.mean([v["difference"] for v in values[:4]])
    late = np.mean([v["difference"] for v in values[-4:]])
    assert late < 0.6 * early
    assert np.mean([v["render"] for v in values[-4:]]) < 0.5 * np.mean([v["render"] for v in values[:4]])


def test_renders_without_a_photo_look_train_no_paired_term(pairs: Pairs) -> None:
    alone = LabelledFaces(pairs.render, pairs.landmarks)
    batch = TrainingData(pairs, alone).draw(64, torch.Generator().manual_seed(0), share_alone=0.5)
    assert 10 < int(batch.paired.sum()) < 54
    run = started(pairs, alone, adversarial_from=10**9)
    run.data.draw = lambda count, random, draw=run.data.draw: draw(count, random, share_alone=1.0)
    values = run.advance()
    assert values["photo"] == values["difference"] == values["texture"] == 0
    assert values["render"] > 0


def test_a_run_makes_a_bundle(pairs: Pairs, tmp_path: Path) -> None:
    run = started(pairs)
    for _ in train(run, tmp_path, 0.001, pairs):
        pass
    assert (tmp_path / "sheet.png").exists()
    bundle = bundle_of_runs(tmp_path, None, None, name="own", description="", licence="CC0-1.0")
    bundle.save(tmp_path / "own.safetensors")
    portraits = torch.rand(1, 3, 64, 64) * 2 - 1
    again = transfer_portraits(read_bundle(tmp_path / "own.safetensors"), portraits, Method.DECODE)
    latent = run.average["encoder"](portraits)
    expected = run.average["photo"].synthesis(latent.ws, features=latent.features).clamp(-1, 1)
    assert torch.allclose(again, expected, atol=0.03)  # stored in half precision


def test_no_checkpoint_and_a_broken_one_are_told(tmp_path: Path) -> None:
    for content, word in ((None, "no checkpoint"), (b"PK broken", "cannot be read")):
        if content is not None:
            (tmp_path / "checkpoint.pt").write_bytes(content)
        with pytest.raises(LifelikeError, match=word) as caught:
            bundle_of_runs(tmp_path, None, None, name="own", description="", licence="CC0-1.0")
        assert caught.value.code is ErrorCode.INVALID_FILE


def test_a_loss_that_is_not_finite_stops_the_run(pairs: Pairs) -> None:
    run = started(pairs)
    with torch.no_grad():
        run.encoder.stem.weight.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="render"):
        run.advance()


def test_smaller_weights_make_the_same_pictures() -> None:
    torch.manual_seed(0)
    generator = Generator(SMALL)
    z = torch.randn(1, 16)
    before = generator(z)
    shrink_weights(generator, 0.25)
    assert torch.allclose(generator(z), before, atol=1e-4)
