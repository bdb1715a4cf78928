# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike generate`: the pictures are the generator's, and nothing is half written or lost."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lifelike.bundles import Bundle, read_bundle
from lifelike.bundles.assembly import assemble_bundle
from lifelike.bundles.file import bundle_sha256
from lifelike.bundles.registry import user_folder
from lifelike.cli import app
from lifelike.generation import output
from lifelike.generation.latents import read_seeds
from lifelike.networks.stylegan2 import Generator, GeneratorSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from published_state import draw, stylegan2_state
from running_backend import REPOSITORY
from small_bundle import small_bundle

LAYERS = 10  # of a generator of 64 pixels


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A bundle on disk."""
    small_bundle(published=True).save(tmp_path / "small.safetensors")
    return tmp_path / "small.safetensors"


@pytest.fixture
def bundle(file: Path) -> Bundle:
    return read_bundle(file)


@pytest.fixture
def generate(file: Path, tmp_path: Path) -> Callable[..., Path]:
    """Runs the command with the bundle; returns the folder of its pictures, or raises what it refused with."""

    def run(*arguments: Any) -> Path:
        words = ["generate", "--bundle", file, "-o", tmp_path / "made", "--device", "cpu", *arguments]
        done = CliRunner().invoke(app, [str(word) for word in words])
        if done.exception is not None and done.exit_code == 1:
            raise done.exception
        assert done.exit_code == 0, done.output
        return tmp_path / "made"

    return run


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    """Writes an array to a .npy file."""

    def write(values: Any) -> Path:
        np.save(tmp_path / "latents.npy", values)
        return tmp_path / "latents.npy"

    return write


def drawn(seed: int) -> torch.Tensor:
    return torch.from_numpy(np.random.RandomState(seed).randn(1, 16).astype(np.float32))


@torch.inference_mode()
def test_seeds_become_pngs_of_the_photo_generator(generate, bundle: Bundle) -> None:
    folder = generate("--seeds", "3-5", "--truncation", "0.7")
    assert sorted(path.name for path in folder.glob("*.png")) == ["seed0003.png", "seed0004.png", "seed0005.png"]
    expected = bundle.photo(drawn(4), 0.7)[0].clamp(-1, 1).permute(1, 2, 0).numpy()
    found = np.asarray(Image.open(folder / "seed0004.png")).astype(np.float32) / 127.5 - 1
    assert np.abs(found - expected).max() <= 1.01 / 255


@torch.inference_mode()
def test_raw_is_what_the_network_gives_unclipped(generate, bundle: Bundle) -> None:
    (path,) = generate("--seeds", "0,7", "--raw").glob("*.npy")
    found = np.load(path)
    assert found.dtype == np.float32
    assert found.shape == (2, 3, 64, 64)
    expected = torch.cat([bundle.photo(drawn(0)), bundle.photo(drawn(7))]).numpy()
    assert np.abs(expected).max() > 1, "nothing to clip"
    assert np.allclose(found, expected, atol=1e-5)


@torch.inference_mode()
def test_the_render_generator_can_be_looked_at(generate, bundle: Bundle) -> None:
    (path,) = generate("--seeds", "1", "--raw", "--look", "render").glob("*.npy")
    assert np.allclose(np.load(path), bundle.render(drawn(1)), atol=1e-5)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@torch.inference_mode()
def test_latents_are_told_by_their_shape(generate, written, bundle: Bundle, dtype: type) -> None:
    wide = np.random.default_rng(0).standard_normal((3, LAYERS, 16)).astype(dtype)
    ws = torch.from_numpy(wide.astype(np.float32))
    (path,) = generate("--latents", written(wide), "--raw").glob("*.npy")
    assert np.allclose(np.load(path), bundle.photo.synthesis(ws), atol=1e-4)
    z = ws[:, 0]
    (path,) = generate("--latents", written(wide[:, 0]), "--raw", "--force").glob("*.npy")
    assert np.allclose(np.load(path), bundle.photo(z), atol=1e-4)
    (path,) = generate("--latents", written(wide[:, 0]), "--space", "w", "--raw", "--force").glob("*.npy")
    assert np.allclose(np.load(path), bundle.photo.synthesis(bundle.photo.w_plus(z)), atol=1e-4)
    (path,) = generate("--latents", written(wide), "--truncation", "0", "--raw", "--force").glob("*.npy")
    mean = bundle.photo.w_plus(bundle.photo.mapping.w_avg[None])
    assert np.allclose(np.load(path), bundle.photo.synthesis(mean).expand(3, -1, -1, -1), atol=1e-4)


def test_an_exact_bundle_makes_the_pictures_of_the_published_code(
    generate, written, tmp_path: Path, shared_folder: Path
) -> None:
    fixture = np.load(shared_folder / "fixtures" / "parity" / "stylegan2_64.npz")
    config, shapes = (json.loads(str(fixture[key])) for key in ("config", "g_keys"))
    sizes = {name: config[name] for name in attrs.fields_dict(GeneratorSettings)}
    generator = Generator(GeneratorSettings(**sizes))
    generator.load_state_dict(stylegan2_state(config["tag"], shapes))
    exact = assemble_bundle(generator, name="exact", description="", licence="", precision="single")
    exact.save(tmp_path / "small.safetensors")
    for latents, truncation, key in (
        ("z", "0.7", "image_from_z_psi07_noise_const"),
        ("w", "1", "image_from_w_noise_const"),
    ):
        shape = (2, config["z_dim"]) if latents == "z" else (2, generator.settings.num_ws, config["w_dim"])
        file = written(draw(config["tag"], f"input.{latents}", shape))
        (path,) = generate("--latents", file, "--truncation", truncation, "--raw", "--force").glob("*.npy")
        found = np.load(path)[:, :, :: config["stride"], :: config["stride"]]
        assert np.abs(found - fixture[key]).max() < 1e-3 * fixture[f"{key}_mean_std"][1]


def test_provenance_tells_how_to_make_them_again(generate, file: Path) -> None:
    folder = generate("--seeds", "2", "--truncation", "0.5")
    values = json.loads((folder / "provenance.json").read_text("utf-8"))
    assert values["bundle"] == "small"
    assert values["bundle_sha256"] == bundle_sha256(file)
    assert (values["seeds"], values["truncation"], values["look"]) == ("2", 0.5, "photo")
    assert values["files"] == ["seed0002.png"]
    assert values["licence"] == "CC0-1.0"
    assert values["non_commercial"] is False
    del values["files"]
    assert json.loads(Image.open(folder / "seed0002.png").info["Description"]) == values


def test_what_is_there_is_not_overwritten(generate) -> None:
    folder = generate("--seeds", "0-1")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(LifelikeError, match="exist already") as caught:
        generate("--seeds", "0-3", "--truncation", "0.1")
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    generate("--seeds", "0-1", "--truncation", "0.1", "--force")
    assert (folder / "seed0000.png").read_bytes() != before[folder / "seed0000.png"]


@pytest.mark.parametrize("arguments", [("--raw",), ()])
def test_a_failure_leaves_no_half_file(generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, arguments) -> None:
    def break_off(*_: Any) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", break_off)
    with pytest.raises(LifelikeError, match="could not be written") as caught:
        generate("--seeds", "0-1", *arguments)
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert list((tmp_path / "made").iterdir()) == []


def test_what_the_disk_has_no_room_for_is_refused(generate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(output.shutil, "disk_usage", lambda _: Full)
    with pytest.raises(LifelikeError, match="GB left"):
        generate("--seeds", "0-1", "--raw")
    assert list((tmp_path / "made").iterdir()) == []


class Full:
    free = 1000


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.zeros((2, 17)), "shape"),
        (np.zeros((2, LAYERS, 17)), "shape"),
        (np.zeros((2, LAYERS - 1, 16)), "shape"),
        (np.zeros(16), "shape"),
        (np.zeros(()), "shape"),
        (np.zeros((0, 16)), "0 latents"),
        (np.full((2, 16), np.nan), "not finite"),
        (np.zeros((2, 16), np.int64), "type int64"),
        (np.zeros((2, 16), complex), "type complex"),
        (np.array([["a"] * 16]), "type"),
    ],
)
def test_latents_for_nothing_are_refused(generate, written, tmp_path: Path, values: np.ndarray, expected: str) -> None:
    with pytest.raises(LifelikeError, match=expected) as caught:
        generate("--latents", written(values))
    assert caught.value.code is ErrorCode.INVALID_FILE
    assert caught.value.remedy
    assert not (tmp_path / "made").exists()


def test_files_that_hold_no_array_are_refused(generate, tmp_path: Path) -> None:
    marker = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, (f"open({str(marker)!r}, 'w')",))

    path = tmp_path / "latents.npy"
    np.save(path, np.array([Trap()], object), allow_pickle=True)
    contents = [path.read_bytes(), b"", b"PK\x03\x04" + bytes(100), b"\x93NUMPY\x01\x00\xff\xffnonsense"]
    np.save(path, np.zeros((1000, 16)))
    contents.append(path.read_bytes()[:-1])
    for content in contents:
        path.write_bytes(content)
        with pytest.raises(LifelikeError, match="latents") as caught:
            generate("--latents", path)
        assert caught.value.code is ErrorCode.INVALID_FILE
    with pytest.raises(LifelikeError, match="cannot be read"):
        generate("--latents", tmp_path / "nowhere.npy")
    assert not marker.exists()


@pytest.mark.parametrize("arguments", [(), ("--seeds", "1", "--latents", "x.npy")])
def test_seeds_or_latents_must_be_given(generate, arguments: tuple[str, ...]) -> None:
    with pytest.raises(LifelikeError, match="Either --seeds or --latents") as caught:
        generate(*arguments)
    assert caught.value.code is ErrorCode.INVALID_SETTING


@pytest.mark.parametrize(
    ("text", "expected"), [("7", [7]), ("0-3", [0, 1, 2, 3]), ("1, 4,10-12", [1, 4, 10, 11, 12]), ("2,2,1", [2, 1])]
)
def test_seeds_are_read(text: str, expected: list[int]) -> None:
    assert read_seeds(text) == expected


@pytest.mark.parametrize("text", ["", "x", "1-", "-3", "5-4", "1.5", "1--2", "0-4294967296", "0-99999999", "٣"])
def test_other_seeds_are_refused(text: str) -> None:
    with pytest.raises(LifelikeError) as caught:
        read_seeds(text)
    assert caught.value.code is ErrorCode.INVALID_SETTING
    assert "--seeds" in caught.value.remedy


def test_a_single_generator_has_no_render_look(tmp_path: Path) -> None:
    small_bundle(pair=False).save(tmp_path / "single.safetensors")
    words = ["generate", "--bundle", str(tmp_path / "single.safetensors"), "-o", str(tmp_path), "--seeds", "1"]
    done = CliRunner().invoke(app, [*words, "--look", "render"])
    assert isinstance(done.exception, LifelikeError)
    assert "no render generator" in done.exception.what
    assert CliRunner().invoke(app, words).exit_code == 0
    assert (tmp_path / "seed0001.png").exists()


def test_every_command_of_the_document_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for name in ("ffhq", "faces", "pair"):
        small_bundle(published=True).save(user_folder() / f"{name}.safetensors")
    np.save(tmp_path / "codes.npy", np.zeros((1, LAYERS, 16)))
    text = (REPOSITORY / "docs" / "weights.md").read_text("utf-8")
    lines = [line.strip() for line in text.splitlines()]
    commands = [shlex.split(line)[1:] for line in lines if line.startswith("lifelike generate ")]
    assert len(commands) == 2
    for command in commands:
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.exception
    assert len(list((tmp_path / "faces").glob("*.png"))) == 36
    assert np.load(tmp_path / "raw" / "pictures.npy").shape == (1, 3, 64, 64)
    (removing,) = [shlex.split(line)[1:] for line in lines if line.startswith("lifelike bundles remove ")]
    assert CliRunner().invoke(app, [*removing, "--yes"]).exit_code == 0
    assert not (user_folder() / "faces.safetensors").exists()
