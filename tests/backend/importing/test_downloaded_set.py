# SPDX-License-Identifier: GPL-3.0-or-later
"""Published files become a bundle in one command, and their terms reach whoever gets its results."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from foreign_files import (
    small_arcface,
    small_discriminator,
    small_e4e,
    small_generator,
    write_arcface,
    write_e4e,
    write_nvidia_tensorflow,
)
from typer.testing import CliRunner

from lifelike.bundles import load_bundle
from lifelike.bundles.public import catalogue
from lifelike.bundles.public.entry import PublicFile
from lifelike.bundles.registry import user_folder
from lifelike.commands import bundles
from lifelike.commands.enhance_report import success
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.worker import Worker
from lifelike_protocol.errors import LifelikeError
from lifelike_protocol.messages import Frame, Settings
from publisher import Publisher, published, saying, well
from small_bundle import small_bundle

SIZES = GeneratorSettings(resolution=64, channel_base=512, channel_max=16, z_dim=8, w_dim=8, mapping_layers=2)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Publisher]:
    """Publishes the files of the set "ffhq", in their formats, but small."""
    monkeypatch.setenv("LIFELIKE_HOME", str(tmp_path / "home"))
    made = tmp_path / "made"
    made.mkdir()
    generator = small_generator(SIZES)
    writers: dict[str, Callable[[Path], None]] = {
        "stylegan2-ffhq": lambda file: write_nvidia_tensorflow(file, generator, small_discriminator(SIZES)),
        "e4e-ffhq": lambda file: write_e4e(file, small_e4e(SIZES.num_ws), generator),
        "arcface-ir-se50": lambda file: write_arcface(file, small_arcface()),
    }
    with published() as publisher:

        def moved(file: PublicFile) -> PublicFile:
            writers[file.name](made / file.file_name)
            content = publisher.others[f"/{file.name}"] = (made / file.file_name).read_bytes()
            address = f"http://127.0.0.1:{publisher.server_port}/{file.name}"
            return evolve(file, address=address, size=len(content), sha256=hashlib.sha256(content).hexdigest())

        here = {file.name: moved(file) for file in catalogue.SETS[0].files}
        monkeypatch.setattr(catalogue, "FILES", tuple(here.get(file.name, file) for file in catalogue.FILES))
        monkeypatch.setattr(catalogue, "SETS", (evolve(catalogue.SETS[0], files=tuple(here.values())),))
        yield publisher


def download(*arguments: str) -> Any:
    return CliRunner().invoke(bundles.app, ["download", "ffhq", "--accept-license", *arguments])


def test_a_set_becomes_a_bundle_whose_results_tell_its_terms(server: Publisher, portrait: Callable[..., Frame]) -> None:
    done = download()
    assert done.exit_code == 0, done.exception or done.stdout
    bundle = load_bundle("ffhq")
    card = bundle.card
    assert (card.resolution, card.pair) == (64, False)
    assert bundle.encoder is not None
    assert bundle.identity is not None
    assert card.non_commercial
    assert card.licence == "Nvidia Source Code License-NC; MIT", "each licence once"
    assert {source["sha256"] for source in card.sources} == {file.sha256 for file in catalogue.SETS[0].files}
    result = Worker("cpu").work("job", portrait(), Settings(bundle="ffhq"), lambda *_, **__: None)
    assert result.provenance.non_commercial
    told = success(Path("render.png"), Path("photo.png"), result)["provenance"]
    assert (told["non_commercial"], told["licence"]) == (True, card.licence)
    for work in ("Image Quality of StyleGAN", "Designing an Encoder", "ArcFace"):
        assert work in told["citation"]
    asked = len(server.seen)
    again = download()
    assert again.exit_code == 0
    assert "already" in again.stdout
    assert len(server.seen) == asked


def test_what_cannot_be_had_is_told_and_completed_by_the_next_run(server: Publisher) -> None:
    server.manners = [well, saying(404), well]
    done = download("--name", "mine")
    assert done.exit_code == 1
    assert "404" in done.stderr
    assert "drive.google.com" in done.stderr
    assert load_bundle("mine").encoder is None
    server.seen.clear()
    assert download("--name", "mine").exit_code == 0
    assert load_bundle("mine").encoder is not None
    assert len(server.seen) == 1, "what was there was fetched again"


def test_without_the_generator_there_is_no_bundle(server: Publisher) -> None:
    server.manners = [saying(404)]
    assert isinstance(download().exception, LifelikeError)
    assert not user_folder().exists()


@pytest.mark.parametrize("name", ["builtin", "../outside", ""])
def test_a_name_that_no_bundle_can_have_is_refused_before_the_work(server: Publisher, name: str) -> None:
    if not name:
        small_bundle().save(user_folder() / "ffhq.safetensors")  # somebody's own, of that name
    refusal = download(*(["--name", name] if name else [])).exception
    assert isinstance(refusal, LifelikeError)
    assert server.seen == []
