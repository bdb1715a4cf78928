# SPDX-License-Identifier: GPL-3.0-or-later
"""Terms of published weights stay with whatever is trained from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from attrs import evolve
from typer.testing import CliRunner

from lifelike.bundles import read_card
from lifelike.bundles.inheritance import ancestors
from lifelike.commands import bundles
from small_bundle import small_bundle

SOURCE = {"file": "theirs.pkl", "sha256": "ab" * 32, "format": "a pickle", "licence": "CC-BY-NC-4.0"}


def saved(path: Path, **card: object) -> Path:
    made = small_bundle()
    made.card = evolve(made.card, **card)
    made.save(path)
    return path


@pytest.fixture
def bound(tmp_path: Path) -> Path:
    """A bundle for non-commercial use, as an import makes it."""
    terms = {"licence": "CC-BY-NC-4.0", "non_commercial": True, "citation": "First\nSecond", "sources": (SOURCE,)}
    return saved(tmp_path / "bound.safetensors", **terms)


@pytest.fixture
def free(tmp_path: Path) -> Path:
    return saved(tmp_path / "free.safetensors", licence="CC0-1.0", citation="Second\nThird")


def run(folder: Path, settings: str) -> Path:
    """The folder of a run, as far as it tells where it began."""
    folder.mkdir()
    (folder / "config.toml").write_text(settings)
    (folder / "generator.safetensors").write_bytes(b"")
    return folder


def test_every_bundle_behind_a_network_counts_once(bound: Path, free: Path, tmp_path: Path) -> None:
    first = run(tmp_path / "first", f'start = "{bound}"\nseed = 3\n')
    second = run(tmp_path / "second", f'render = "{first / "generator.safetensors"}"\nphoto = "{free}"\n')
    for parts in ([str(second), str(free)], [str(second / "generator.safetensors"), str(bound), "", str(second)]):
        terms = ancestors(parts).terms("unstated")
        assert terms["non_commercial"]
        assert terms["licence"] == "CC-BY-NC-4.0"
        assert sorted(terms["citation"].splitlines()) == ["First", "Second", "Third"]
        assert terms["sources"] == (SOURCE,)


def test_free_ancestors_bind_nobody(free: Path) -> None:
    terms = ancestors([str(free)]).terms("CC-BY-4.0")
    assert (terms["licence"], terms["non_commercial"]) == ("CC-BY-4.0", False)


def test_an_ancestor_that_is_gone_is_told(bound: Path, tmp_path: Path) -> None:
    folder = run(tmp_path / "run", f'start = "{bound}"\n')
    bound.unlink()
    found = ancestors([str(folder)])
    assert str(bound) in found.notes[0]
    assert not found.terms("unstated")["non_commercial"]


def test_runs_that_name_each_other_end(tmp_path: Path) -> None:
    one = run(tmp_path / "one", f'start = "{tmp_path / "two"}"\n')
    run(tmp_path / "two", f'start = "{one}"\n')
    assert ancestors([str(one)]).cards == []


def test_a_bundle_made_of_another_keeps_its_terms(bound: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.safetensors"
    parts = [f"--{part}={bound}" for part in ("photo", "render", "encoder")]
    done = CliRunner().invoke(bundles.app, ["make", "mine", *parts, "--licence", "CC-BY-4.0", "-o", str(made)])
    assert done.exit_code == 0, done.exception
    card = read_card(made)
    assert (card.licence, card.non_commercial) == ("CC-BY-4.0; CC-BY-NC-4.0", True)
    assert card.citation == "First\nSecond"
    assert card.sources == (SOURCE,)
