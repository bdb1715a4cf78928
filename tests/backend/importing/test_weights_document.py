# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/weights.md, step by step: its imports run on files of each format that are called as the published ones."""

from __future__ import annotations

import shlex
from pathlib import Path

import foreign_files as foreign
import pytest
import torch
from typer.testing import CliRunner

from lifelike.bundles import load_bundle, read_card
from lifelike.cli import app
from lifelike.networks.arcface import ArcFace
from lifelike.networks.weights import load_weights

DOCUMENT = Path(__file__).parents[3] / "docs" / "weights.md"
SIZES = foreign.GeneratorSettings(64, channel_base=512, channel_max=16, z_dim=8, w_dim=8, mapping_layers=2)


def documented(*words: str) -> list[list[str]]:
    """The document's commands that begin so, as arguments."""
    lines = DOCUMENT.read_text("utf-8").replace("\\\n", " ").splitlines()
    commands = [shlex.split(line) for line in lines if line.startswith("    lifelike ")]
    return [command[1:] for command in commands if tuple(command[1 : 1 + len(words)]) == words]


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every file that the document names, in the working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    generator, judge = foreign.small_generator(SIZES), foreign.small_discriminator(SIZES)
    foreign.write_nvidia_tensorflow(tmp_path / "stylegan2-ffhq-config-f.pkl", generator, judge)
    foreign.write_nvidia_torch(tmp_path / "ffhq.pkl", generator, judge)
    foreign.write_rosinality(tmp_path / "stylegan2-ffhq-config-f.pt", generator)
    foreign.write_e4e(tmp_path / "e4e_ffhq_encode.pt", foreign.small_e4e(SIZES.num_ws), generator)
    foreign.write_arcface(tmp_path / "model_ir_se50.pth", foreign.small_arcface())
    return tmp_path


def run(command: list[str]) -> str:
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_every_import_of_the_document_works(files: Path) -> None:
    imports = documented("bundles", "import")
    assert len(imports) == 7
    for command in imports:
        run(command)
    bundle = load_bundle("ffhq")
    assert bundle.single
    assert bundle.encoder is not None
    assert isinstance(bundle.identity, ArcFace)
    assert load_bundle("faces").encoder is not None
    assert load_bundle("e4e").encoder is not None
    assert "Who made it, 2024" in run(documented("bundles", "show")[0])
    settings, _, _ = load_weights(files / "start-discriminator.safetensors", "discriminator")
    assert settings["resolution"] == SIZES.resolution


def test_what_was_imported_comes_back_bit_for_bit(files: Path) -> None:
    run(["bundles", "import", "--photo", "ffhq.pkl", "--encoder", "e4e_ffhq_encode.pt", "--name", "a"])
    bundle = load_bundle("a")
    for network, written in ((bundle.photo, foreign.small_generator(SIZES)), (bundle.encoder, foreign.small_e4e(10))):
        state = network.state_dict()
        for name, value in written.state_dict().items():
            assert torch.equal(state[name], value), name


def test_the_report_tells_sizes_sources_and_what_is_missing(files: Path) -> None:
    report = run(["bundles", "import", "--photo", "ffhq.pkl", "--name", "a"])
    for words in ("NVIDIA PyTorch pickle", "64 pixels", "8 at 64", "10 × w of 8", "No encoder", "No render generator"):
        assert words in report
    card = read_card(files / "home" / "config" / "bundles" / "a.safetensors")
    assert card.precision == "single"
    assert card.sources[0]["file"] == "ffhq.pkl"
    assert len(card.sources[0]["sha256"]) == 64


def test_an_encoder_of_another_generator_is_told(files: Path) -> None:
    foreign.write_e4e(files / "other.pt", foreign.small_e4e(SIZES.num_ws), foreign.seeded(foreign.Generator(SIZES), 9))
    report = run(["bundles", "import", "--photo", "ffhq.pkl", "--encoder", "other.pt", "--name", "a"])
    assert "trained for another generator" in report
    report = run(["bundles", "import", "--photo", "ffhq.pkl", "--encoder", "e4e_ffhq_encode.pt", "--name", "b"])
    assert "another generator" not in report


def test_terms_of_published_files_come_by_their_hash(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from attrs import evolve

    from lifelike.bundles.file import bundle_sha256
    from lifelike.bundles.public import catalogue

    published = evolve(catalogue.STYLEGAN2_ADA, sha256=bundle_sha256(files / "ffhq.pkl"))
    monkeypatch.setattr(catalogue, "FILES", (published,))
    (files / "ffhq.pkl").rename(files / "renamed")
    report = run(["bundles", "import", "--photo", "renamed", "--name", "a"])
    assert "non-commercial use" in report
    run(["bundles", "import", "--photo", "home/config/bundles/a.safetensors", "--name", "b", "--licence", "mine"])
    card = read_card(files / "home" / "config" / "bundles" / "b.safetensors")
    assert card.non_commercial
    assert card.licence == f"{published.terms.licence}; mine"
    assert card.citation.splitlines() == list(published.terms.citations)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--photo", "model_ir_se50.pth", "--name", "a"], "has no photo generator; it has: identity"),
        (["--photo", "ffhq.pkl", "--encoder", "model_ir_se50.pth", "--name", "a"], "has no encoder"),
        (["--photo", "nowhere.pkl", "--name", "a"], "no such file"),
        (["--photo", "ffhq.pkl", "--name", "../a"], "no name for a bundle"),
        (["--photo", "ffhq.pkl", "--name", "builtin"], "built-in"),
        (["--photo", "e4e_ffhq_encode.pt", "--name", "a", "--discriminator", "d"], "no discriminator"),
        (["--photo", "ffhq.pkl", "--name", "a", "-o", "ffhq.pkl"], "exists"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_written(files: Path, arguments: list[str], said: str) -> None:
    before = sorted(files.rglob("*"))
    result = CliRunner().invoke(app, ["bundles", "import", *arguments])
    assert result.exit_code != 0
    assert said in str(result.exception)
    assert sorted(files.rglob("*")) == before


def test_generators_that_are_no_pair_are_refused(files: Path) -> None:
    foreign.write_nvidia_torch(files / "other.pkl", foreign.seeded(foreign.Generator(SIZES), 9))
    result = CliRunner().invoke(
        app, ["bundles", "import", "--photo", "ffhq.pkl", "--render", "other.pkl", "--name", "a"]
    )
    assert "must share" in str(result.exception)
