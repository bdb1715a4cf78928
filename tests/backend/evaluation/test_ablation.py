# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike ablate`: variants trained and measured, one table, one sheet, continued where it was left."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lifelike.bundles import read_bundle
from lifelike.cli import app
from lifelike.evaluation.ablation.settings import VARIANTS
from lifelike.evaluation.ablation.variants import read_variants
from lifelike.inversion import invert, refine
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.weights import save_weights
from lifelike_protocol.errors import LifelikeError
from made_up_pairs import write_pairs
from small_bundle import small_bundle

CONFIG = """
identity = "{folder}/identity.safetensors"
variants = ["all terms", "no colour term", "free mapping", "refined"]
[changes]
"long shot" = ["render.adversarial.learning_rate=0.01"]
[data]
folders = ["{folder}/pairs"]
[photo.network]
resolution = 32
channel_base = 256
channel_max = 8
z_dim = 8
w_dim = 8
mapping_layers = 2
[photo.run]
pictures = 8
batch = 4
[render.run]
pictures = 8
batch = 4
[encoder.encoder]
width = 8
width_max = 16
patch = 1
[encoder.run]
pictures = 8
batch = 4
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ablation of the smallest networks on drawn faces; people 3 and 4 are reserved."""
    folder = tmp_path_factory.mktemp("ablation")
    (folder / "pairs").mkdir()
    write_pairs(folder / "pairs", [3, 4, 100, 101, 102], 2, 32)
    save_weights(folder / "identity.safetensors", IdentityNetwork(), "identity", {})
    (folder / "ablation.toml").write_text(CONFIG.format(folder=folder))
    return folder / "ablation.toml"


def run(config: Path, folder: Path, *more: str) -> str:
    result = CliRunner().invoke(app, ["ablate", str(config), "--run", str(folder), *more], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_an_ablation_from_settings_to_table(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert "the same command continues" in run(config, folder, "--stop-after", "0")
    assert not (folder / "ablation.json").exists()
    shown = run(config, folder)
    table = json.loads((folder / "ablation.json").read_text())
    names = ["untouched input", "all terms", "no colour term", "free mapping", "refined", "long shot"]
    assert [row["name"] for row in table["rows"]] == names
    assert table["rows"][2]["changes"] == ["render.terms.colour=0"]
    assert table["pictures"] == 4
    assert table["people"] == 2
    for row in table["rows"]:
        assert {"psnr", "ssim"} <= set(row["figures"]), row["name"]
    figures = {row["name"]: row["figures"]["psnr"]["value"] for row in table["rows"]}
    assert len(set(figures.values())) > 3  # they are trainings of their own
    assert "| no colour term |" in shown
    assert (folder / "ablation.md").read_text().count("\n| ") == len(names) + 1
    page = (folder / "ablation.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http-equiv", "")
    with Image.open(folder / "sheet.png") as sheet:
        assert sheet.size == (7 * 128, 2 * 128 + 16)  # render, five variants, truth; two people
    assert not (folder / "refined").exists()  # it shares the trainings of "all terms"
    assert {path.name for path in folder.glob("*/render")} == {"render"}

    written = (folder / "reports" / "all terms.json").stat().st_mtime_ns
    run(config, folder)
    assert (folder / "reports" / "all terms.json").stat().st_mtime_ns == written  # nothing is done twice


def test_variants_differ_in_what_they_say(config: Path, tmp_path: Path) -> None:
    variants = read_variants(config, ['variants=["all terms", "no geometry term"]', "render.run.batch=2"], tmp_path)
    assert [variant.settings.render.terms.geometry for variant in variants] == [1.0, 0.0, 1.0]
    assert {variant.settings.render.run.batch for variant in variants} == {2}
    assert len({variant.folder for variant in variants}) == 3


def test_every_known_variant_can_be_read(config: Path, tmp_path: Path) -> None:
    names = json.dumps(list(VARIANTS))
    variants = read_variants(config, [f"variants={names}"], tmp_path)
    first = variants[0].settings
    assert all(variant.settings != first for variant in variants[1:])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ('variants=["no colour"]', "no variant 'no colour'"),
        ('changes.odd=["render.terms.color=0"]', "'odd'"),
        ('changes.odd=["data.reserved=1"]', "all variants share"),
        ('changes."All terms!"=[]', "no name of its own"),
    ],
)
def test_a_variant_that_cannot_be_is_told(config: Path, tmp_path: Path, change: str, word: str) -> None:
    with pytest.raises(LifelikeError, match=word):
        read_variants(config, [change], tmp_path)


def test_refined_latents_show_the_portrait_more_closely() -> None:
    bundle = small_bundle()
    torch.manual_seed(0)
    portraits = (torch.rand(2, 3, 64, 64) * 2 - 1) * 0.1
    latent = invert(bundle, portraits)
    before = {name: value.clone() for name, value in bundle.tensors().items()}
    closer = refine(bundle, portraits, latent, steps=15)

    def error(ws: torch.Tensor) -> float:
        return float((bundle.render.synthesis(ws, features=latent.features) - portraits).square().mean())

    assert error(closer.ws) < 0.9 * error(latent.ws)
    assert not closer.ws.requires_grad
    assert all(torch.equal(value, before[name]) for name, value in bundle.tensors().items())


def test_a_variants_bundle_can_be_used(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    run(config, folder, "--set", 'variants=["free mapping"]', "--set", "changes={}")
    bundle = read_bundle(folder / "free-mapping" / "bundle.safetensors")
    assert bundle.card.name == "free mapping"
    assert bundle.card.resolution == 32
