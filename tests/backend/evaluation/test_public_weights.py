# SPDX-License-Identifier: GPL-3.0-or-later
"""LPIPS, FID and KID with networks made here; and what is said where the public ones are not at hand."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from attrs import evolve
from torch import Tensor, nn

from lifelike.evaluation import public_weights
from lifelike.evaluation.judging.distribution import Distribution, frechet_distance, kernel_distance
from lifelike.evaluation.judging.perceptual import Perceptual
from lifelike.evaluation.material import material_of_pairs
from lifelike.evaluation.public_weights import INCEPTION, VGG16, cache_folder, find_weights
from lifelike.evaluation.report import Missing
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_people import people_in_pairs


class Lpips(nn.Module):
    """Stands where VGG16 does: the squared distance is that of the mean colours."""

    def forward(self, pictures: Tensor, resize_images: bool = False, return_lpips: bool = False) -> Tensor:
        return pictures.mean(dim=(2, 3)) / 255


class Features(nn.Module):
    """Stands where Inception does."""

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        return pictures.float().mean(dim=(2, 3))


def saved(network: nn.Module, file: Path) -> Path:
    torch.jit.script(network).save(str(file))
    return file


def test_lpips_is_the_squared_distance_over_the_face(tmp_path) -> None:
    pairs = people_in_pairs(people=2)
    material = material_of_pairs(pairs)
    judge = Perceptual(saved(Lpips(), tmp_path / "vgg16.pt"))
    for batch in material.batches(4):
        face = batch.masks[..., None] > 0
        brighter = np.where(face, batch.truths // 2 + 100, 255).astype(np.uint8)
        judge.see(batch, {"input": batch.inputs, "truth": batch.truths, "it": brighter, "same": batch.truths})
    values = judge.verdict(material).values["lpips"]
    assert values["same"] == pytest.approx(np.zeros(len(pairs)))
    mask = next(material.batches(1)).masks[0] > 0
    change = (pairs.photo[0] // 2 + 100).astype(float) - pairs.photo[0]
    assert values["it"][0] == pytest.approx(((change[mask].sum(0) / mask.size / 255) ** 2).sum(), rel=1e-3)
    assert "truth" not in values


def test_distances_of_distributions_are_those_of_known_ones(tmp_path) -> None:
    random = np.random.default_rng(0)
    cloud = random.normal(size=(400, 6))
    shift = np.array([3.0, 0, 0, 0, 0, 0])
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(cloud, cloud + shift) == pytest.approx(9.0)
    centred = cloud - cloud.mean(0)
    trace = (centred**2).sum() / 399
    assert frechet_distance(centred, 2 * centred) == pytest.approx(trace)  # (2 − 1)² · tr Σ
    few = random.normal(size=(4, 6))
    assert frechet_distance(few, few + shift) == pytest.approx(9.0)  # fewer pictures than features
    other = random.normal(size=(400, 6))
    assert abs(kernel_distance(cloud, other)) < 0.1 < kernel_distance(cloud, other + shift)
    direct = ((cloud[:, None] * cloud[None]).sum(2) / 6 + 1) ** 3
    both = ((other[:, None] * other[None]).sum(2) / 6 + 1) ** 3
    cross = ((cloud[:, None] * other[None]).sum(2) / 6 + 1) ** 3
    within = [(k.sum() - np.trace(k)) / (400 * 399) for k in (direct, both)]
    assert kernel_distance(cloud, other) == pytest.approx(sum(within) - 2 * cross.mean())
    pairs = people_in_pairs(people=3)
    material = material_of_pairs(pairs)
    judge = Distribution(saved(Features(), tmp_path / "inception.pt"))
    for batch in material.batches(4):
        judge.see(batch, {"input": batch.inputs, "truth": batch.truths, "same": batch.truths})
    found = judge.verdict(material).statistics
    assert found["fid", "same"].of(np.ones((1, 3)))[0] == pytest.approx(0, abs=1e-3)
    assert found["fid", "input"].of(np.ones((1, 3)))[0] > 0
    assert np.isnan(found["fid", "input"].of(np.array([[0.0, 2, 1]]))[0])


def test_missing_weights_are_said_and_never_fetched_unasked(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(public_weights, "_fetch", lambda weights: pytest.fail("it was fetched"))
    gone = find_weights(INCEPTION, None, allow_downloads=False)
    assert isinstance(gone, Missing)
    assert "--allow-downloads" in gone.remedy
    unhashed = find_weights(VGG16, None, allow_downloads=True)  # no hash is known, so consent is not enough
    assert isinstance(unhashed, Missing)
    assert "--lpips" in unhashed.remedy


def test_a_cached_file_counts_only_with_the_known_hash(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    file = cache_folder() / INCEPTION.name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"anything")
    assert isinstance(find_weights(INCEPTION, None, False), Missing)
    known = evolve(INCEPTION, sha256=hashlib.sha256(b"anything").hexdigest())
    assert find_weights(known, None, False) == file


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder served on loopback in place of the published address, and an empty cache."""
    folder = tmp_path / "published"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(public_weights, "PUBLISHED", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    yield folder
    server.shutdown()
    server.server_close()


def test_what_is_fetched_is_kept_and_is_what_was_published(published) -> None:
    (published / INCEPTION.name).write_bytes(b"published")
    known = evolve(INCEPTION, sha256=hashlib.sha256(b"published").hexdigest())
    assert find_weights(known, None, allow_downloads=True) == cache_folder() / INCEPTION.name
    (published / INCEPTION.name).unlink()
    assert find_weights(known, None, allow_downloads=False) == cache_folder() / INCEPTION.name


@pytest.mark.parametrize("content", [b"tampered with", None])
def test_what_is_not_what_was_published_is_refused_and_not_kept(published, content) -> None:
    if content is not None:
        (published / INCEPTION.name).write_bytes(content)
    with pytest.raises(LifelikeError) as caught:
        find_weights(INCEPTION, None, allow_downloads=True)
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert "--inception" in caught.value.remedy
    assert not (cache_folder() / INCEPTION.name).exists()


def test_a_wrong_file_is_refused(tmp_path) -> None:
    with pytest.raises(LifelikeError, match="no file"):
        find_weights(VGG16, tmp_path / "none.pt", False)
    (tmp_path / "junk.pt").write_bytes(b"junk")
    other = saved(nn.Flatten(), tmp_path / "other.pt")
    for judge in (Perceptual, Distribution):
        for file in (tmp_path / "junk.pt", other):
            with pytest.raises(LifelikeError) as caught:
                judge(file)
            assert caught.value.code is ErrorCode.INVALID_FILE
