# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are something else are refused in one sentence that says what they are."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import foreign_files as foreign
import pytest
import torch
from attrs import evolve
from safetensors.torch import save_file

from lifelike.importing import detection, read_foreign
from lifelike.networks.e4e import E4e
from lifelike_protocol.errors import ErrorCode, LifelikeError


def refused(file: Path) -> str:
    """The whole message, which must be a sentence about the file and one about what to do."""
    with pytest.raises(LifelikeError) as caught:
        read_foreign(file)
    error = caught.value
    assert error.code is ErrorCode.INVALID_FILE
    assert file.name in error.what
    assert "\n" not in error.what
    assert error.what.endswith(".")
    assert error.remedy.endswith((".", "pull"))
    return error.what


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html>Virus scan warning", "web page"),
        (b"\n <HTML><body>Sign in</body>", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "Git LFS"),
        (gzip.compress(b"weights"), "gzip"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no kind of weights"),
        (b"PK\x03\x04" + bytes(100), "archive"),
        (b"\x80\x02}q\x00.", "none of the networks"),
        (b"\xff" * 8 + b"{" + bytes(100), "ends before"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, data: bytes, said: str) -> None:
    (tmp_path / "weights.pkl").write_bytes(data)
    assert said in refused(tmp_path / "weights.pkl")


def test_no_file_and_a_folder(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "nowhere.pt")
    assert "no such file" in refused(tmp_path)


def test_a_file_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge").open("wb") as file:
        file.write(b"\x80\x02")
        file.truncate(detection.SIZE_LIMIT + 1)  # no disk is taken for the hole
    assert "4 GiB" in refused(tmp_path / "huge")


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"activation": "relu"}, "leaky ReLU"),
        ({"architecture": "resnet"}, "skip"),
        ({"bias_gain": 1.0}, "multiplier"),
    ],
)
def test_nvidia_networks_that_compute_something_else(tmp_path: Path, attributes: dict[str, object], said: str) -> None:
    foreign.write_nvidia_torch(tmp_path / "a", foreign.small_generator(), **attributes)
    assert said in refused(tmp_path / "a")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"version": 3}, "before StyleGAN2"),
        ({"label_size": 10}, "label_size"),
        ({"resample_kernel": [1, 2, 1]}, "resample_kernel"),
        ({"architecture": "orig"}, "architecture"),
    ],
)
def test_tensorflow_networks_that_compute_something_else(tmp_path: Path, options: dict[str, object], said: str) -> None:
    generator, discriminator = foreign.small_generator(), foreign.small_discriminator()
    foreign.write_nvidia_tensorflow(tmp_path / "a", generator, discriminator, **options)
    assert said in refused(tmp_path / "a")


def changed(name: str, change: Callable[[torch.Tensor], torch.Tensor | None]) -> dict[str, torch.Tensor]:
    """A generator by rosinality's names, with one tensor changed or, for None, left out."""
    state = foreign.rosinality_generator(foreign.small_generator().state_dict())
    value = change(state.pop(name, torch.zeros(3)))
    return state if value is None else {**state, name: value}


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (lambda: changed("convs.1.activate.bias", lambda _: None), "lacks the tensor synthesis.b8.conv1.bias"),
        (lambda: changed("to_rgbs.0.conv.weight", lambda value: value[:, :1]), "synthesis.b8.torgb.weight"),
        (lambda: changed("convs.1.conv.weight", lambda value: value[:, :5]), "widths"),
        (lambda: changed("convs.0.conv.blur.kernel", lambda value: torch.ones(4, 4)), "filter"),
        (lambda: changed("style.1.weight", lambda value: value * float("nan")), "not finite"),
        (lambda: changed("attention.weight", lambda value: value), "attention.weight"),
        (lambda: changed("convs.3.noise.weight", lambda value: value.repeat(2)), "noise_strength"),
    ],
)
def test_networks_with_other_tensors(tmp_path: Path, state: Callable[[], dict], said: str) -> None:
    foreign.save_torch(tmp_path / "a", {"g_ema": state(), "latent_avg": torch.zeros(8)})
    assert said in refused(tmp_path / "a")


def test_a_strange_discriminator_is_left_out_and_told(tmp_path: Path) -> None:
    generator, judge = foreign.small_generator(), foreign.small_discriminator()
    judge.extra = torch.nn.Linear(2, 2)
    foreign.write_nvidia_torch(tmp_path / "torch", generator, judge)
    foreign.save_torch(
        tmp_path / "rosinality",
        {
            "g_ema": foreign.rosinality_generator(generator.state_dict()),
            "d": {"convs.0.0.weight": torch.zeros(3)},
            "latent_avg": torch.zeros(8),
        },
    )
    for name in ("torch", "rosinality"):
        found = read_foreign(tmp_path / name)
        assert found.generator is not None
        assert found.discriminator is None
        assert "discriminator is left out" in found.notes[0]


def test_a_generator_of_labels(tmp_path: Path) -> None:
    state = {**foreign.small_generator().state_dict(), "mapping.embed.weight": torch.zeros(8, 10)}
    save_file(state, tmp_path / "a")
    assert "label" in refused(tmp_path / "a")


def test_stylegan3_is_told_apart(tmp_path: Path) -> None:
    generator = foreign.small_generator()
    generator.synthesis.L0_36_512 = generator.synthesis.b8
    del generator.synthesis.b4, generator.synthesis.b8, generator.synthesis.b16
    foreign.write_nvidia_torch(tmp_path / "a", generator)
    assert "no StyleGAN2 generator" in refused(tmp_path / "a")


def test_psp_is_told_from_e4e(tmp_path: Path) -> None:
    foreign.write_e4e(tmp_path / "psp", foreign.small_e4e(), kind="GradualStyleEncoder")
    assert "GradualStyleEncoder" in refused(tmp_path / "psp")
    foreign.write_e4e(tmp_path / "silent", foreign.small_e4e(), kind=None)
    assert "taken for e4e's" in read_foreign(tmp_path / "silent").notes[0]


def test_an_encoder_that_reads_two_pictures(tmp_path: Path) -> None:
    encoder: E4e = foreign.small_e4e()
    encoder.input_layer[0].weight = torch.nn.Parameter(torch.zeros(16, 6, 3, 3))
    foreign.write_e4e(tmp_path / "restyle", encoder)
    assert "channels" in refused(tmp_path / "restyle")


def test_a_recogniser_without_channel_weights(tmp_path: Path) -> None:
    state = {k: v for k, v in foreign.small_arcface().state_dict().items() if ".5.fc" not in k}
    foreign.save_torch(tmp_path / "ir50", state)
    assert "squeeze and excitation" in refused(tmp_path / "ir50")


def test_torchscript_is_told_apart(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(tmp_path / "script.pt"))
    assert "TorchScript" in refused(tmp_path / "script.pt")


def test_own_files_whose_settings_lie(tmp_path: Path) -> None:
    from lifelike.networks.weights import save_weights

    generator = foreign.small_generator()
    generator.settings = evolve(foreign.SMALL, channel_max=8)
    save_weights(tmp_path / "a", generator, "generator", {})
    assert "sizes it states" in refused(tmp_path / "a")
