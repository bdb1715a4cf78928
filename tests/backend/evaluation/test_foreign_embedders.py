# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's identity networks: ONNX and TorchScript, given what they were made for, refused in one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx_file import FLOAT16, write_channel_means
from torch import nn

from lifelike.evaluation.foreign_embedder import CROPS, load_foreign_embedder, parse
from lifelike.evaluation.judges import apply
from lifelike.evaluation.named_embedder import load_embedder
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.weights import save_weights
from lifelike_protocol.errors import ErrorCode, LifelikeError

RED = np.zeros((2, 64, 64, 3), np.uint8)
RED[...] = (255, 0, 51)
"""Signed: 1, −1, −0.6."""


class ChannelMeans(nn.Module):
    """The same network as TorchScript."""

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return pictures.mean(dim=(2, 3))


def unit(*values: float) -> np.ndarray:
    return np.array(values) / np.linalg.norm(values)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    file = tmp_path / "means.pt"
    torch.jit.script(ChannelMeans()).save(str(file))
    return file


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("", (1, -1, -0.6)),
        (",channels=bgr", (-0.6, -1, 1)),
        (",range=unit", (1, 0, 0.2)),
        (",range=byte,size=32,crop=portrait", (255, 0, 51)),
        (",range=imagenet", ((1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225)),
    ],
)
def test_pictures_arrive_as_the_network_wants_them(tmp_path, script, settings, expected) -> None:
    onnx = write_channel_means(tmp_path / "means.onnx", ("n", 3, "h", "w"))
    for file in (onnx, script):
        found = load_foreign_embedder(f"{file}{settings}", 1).embed(RED)
        assert found == pytest.approx(np.stack([unit(*expected)] * 2), abs=1e-5)


@pytest.mark.parametrize("shape", [(1, 3, 16, 16), ("n", 3, 16, 16), (1, 16, 16, 3), ("n", "h", "w", 3)])
def test_batch_and_layout_are_read_from_the_file(tmp_path, shape) -> None:
    file = write_channel_means(tmp_path / "a.onnx", shape)
    assert load_foreign_embedder(str(file), 1).embed(RED) == pytest.approx(np.stack([unit(1, -1, -0.6)] * 2), abs=1e-5)


def test_half_precision_is_fed_half_precision(tmp_path) -> None:
    file = write_channel_means(tmp_path / "a.onnx", ("n", 3, 16, 16), FLOAT16)
    assert load_foreign_embedder(str(file), 1).embed(RED) == pytest.approx(np.stack([unit(1, -1, -0.6)] * 2), abs=2e-3)


def test_crop_is_the_part_of_the_portrait_it_says(script) -> None:
    portrait = np.zeros((1, 256, 256, 3), np.uint8)
    portrait[:, 35:223, 32:220] = (255, 255, 51)  # pSp's crop for ArcFace
    portrait[:, 100, 100] = 0
    found = load_foreign_embedder(f"{script},crop=arcface", 1).embed(portrait)
    assert found == pytest.approx(unit(1, 1, -0.6)[None], abs=1e-2)
    outside = load_foreign_embedder(f"{script},crop=0:0:1:0.1", 1).embed(portrait)
    assert outside == pytest.approx(unit(-1, -1, -1)[None], abs=1e-5)


def test_the_command_lines_form() -> None:
    file, convention, name = parse("some folder/a.onnx,crop=inner,size=96,range=byte,channels=bgr,name=Some One")
    assert (file, name) == (Path("some folder/a.onnx"), "Some One")
    assert (convention.crop, convention.size, convention.range) == (CROPS["inner"], 96, "byte")
    for wrong in ("size=4", "size=x", "range=0-1", "channels=gray", "crop=1:2", "crop=0.5:0:0.4:1", "colour=rgb"):
        with pytest.raises(LifelikeError) as caught:
            parse(f"a.onnx,{wrong}")
        assert caught.value.code is ErrorCode.INVALID_SETTING
        assert wrong in caught.value.what


def test_our_own_networks_are_taken_as_files_and_as_runs(tmp_path) -> None:
    torch.manual_seed(1)
    network = IdentityNetwork({"architecture": "plain"}).eval()
    save_weights(tmp_path / "identity.safetensors", network, "identity", {})
    expected = apply(network, RED)
    for source in (tmp_path, tmp_path / "identity.safetensors"):
        embedder = load_embedder(f"{source},name=Ours", 2)
        assert (embedder.key, embedder.title) == ("embedder2", "Ours")
        assert embedder.embed(RED) == pytest.approx(expected, abs=1e-5)
        with pytest.raises(LifelikeError, match="its own input"):
            load_embedder(f"{source},size=64", 2)
    save_weights(tmp_path / "identity.safetensors", network, "locator", {})
    with pytest.raises(LifelikeError, match="locator"):
        load_embedder(str(tmp_path), 2)


def test_what_is_no_embedder_is_refused(tmp_path, script) -> None:
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    (tmp_path / "junk.pt").write_bytes(b"junk")
    torch.jit.script(nn.Flatten(0)).save(str(tmp_path / "flat.pt"))
    fixed = write_channel_means(tmp_path / "fixed.onnx", ("n", 3, 16, 16))
    for text, code in (
        (tmp_path / "none.onnx", ErrorCode.INVALID_FILE),
        (tmp_path / "junk.onnx", ErrorCode.INVALID_FILE),
        (tmp_path / "junk.pt", ErrorCode.INVALID_FILE),
        (tmp_path / "flat.pt", ErrorCode.INVALID_FILE),
        (f"{fixed},size=20", ErrorCode.INVALID_SETTING),
    ):
        with pytest.raises(LifelikeError) as caught:
            load_foreign_embedder(str(text), 1)
        assert caught.value.code is code
        assert caught.value.remedy
