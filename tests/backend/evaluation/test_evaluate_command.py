# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike evaluate` as it is typed: files that come out, and one clear sentence for whatever is wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lifelike.cli import app
from lifelike.evaluation.report_file import read_report
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import write_pairs
from small_bundle import small_bundle


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """small.safetensors, nobody.safetensors (no identity network), pairs/, large/."""
    folder = tmp_path_factory.mktemp("files")
    small_bundle().save(folder / "small.safetensors")
    small_bundle(identity=False).save(folder / "nobody.safetensors")
    for name, people, size in (("pairs", [40, 41, 42, 600, 601], 64), ("tiny", [40, 41], 32), ("others", [602], 96)):
        (folder / name).mkdir()
        write_pairs(folder / name, people=people, poses=2, size=size)
    return folder


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["evaluate", *map(str, words), "--resamples", "100", "--device", "cpu"])


def refusal(*words: object) -> LifelikeError:
    error = run(*words).exception
    assert isinstance(error, LifelikeError), error
    assert error.what.count("\n") == 0
    assert error.remedy
    return error


def test_report_of_the_reserved_people(files, tmp_path) -> None:
    ended = run(files / "small.safetensors", "--pairs", files / "pairs", "--report", tmp_path / "out")
    assert ended.exit_code == 0, ended.exception
    assert "PSNR" in ended.output
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["report.html", "report.json", "sheet.png"]
    report = read_report(tmp_path / "out" / "report.json")
    assert report.provenance.people == 3
    assert report.provenance.data[0] == {"folder": "pairs", "pictures": 20}
    assert report.has("psnr", "colour_mean")  # the others are training pairs


def test_several_sets_everybody_and_a_bundle_without_identity(files, tmp_path) -> None:
    words = ["--pairs", files / "pairs", "--pairs", files / "others", "--identities", "all", "--report", tmp_path]
    ended = run(files / "nobody.safetensors", *words, "--method", "decode", "--cache", tmp_path / "cache")
    assert ended.exit_code == 0, ended.exception
    report = read_report(tmp_path / "report.json")
    assert (report.provenance.people, report.provenance.method) == (6, "decode")
    assert not report.has("bundle.cosine")
    assert any("own network" in gone.title for gone in report.missing)
    assert report.has("psnr", "colour_oracle")
    assert not report.has("psnr", "colour_mean")  # nobody is left to learn colours from


def test_renders_of_people_not_reserved(files, tmp_path) -> None:
    ended = run(files / "small.safetensors", "--renders", files / "others", "--report", tmp_path / "out")
    assert ended.exit_code == 0, ended.exception
    report = read_report(tmp_path / "out" / "report.json")
    assert (report.provenance.people, report.provenance.pictures) == (1, 2)
    assert not report.has("psnr")


def test_missing_packages_are_named_with_the_way_to_get_them(files, tmp_path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage", None)
    error = refusal(files / "small.safetensors", "--pairs", files / "pairs", "--report", tmp_path / "out")
    assert "skimage" in error.what
    assert "lifelike[train]" in error.remedy


def test_wrong_wishes_are_refused_before_any_work(files, tmp_path) -> None:
    bundle, pairs, out = files / "small.safetensors", ("--pairs", files / "pairs"), ("--report", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    cases = [
        ((bundle, *out), ErrorCode.INVALID_SETTING),
        ((bundle, *pairs, "--renders", files / "pairs", *out), ErrorCode.INVALID_SETTING),
        ((bundle, "--pairs", tmp_path / "empty", *out), ErrorCode.INVALID_FILE),
        ((bundle, "--pairs", tmp_path / "none", *out), ErrorCode.INVALID_FILE),
        ((bundle, "--pairs", files / "tiny", *out), ErrorCode.INVALID_FILE),  # smaller than the bundle
        ((bundle, *pairs, "--pairs", files / "tiny", *out), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--identities", "7-9", *out), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--identities", "x-y-", *out), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--identities", "9-7", *out), ErrorCode.INVALID_SETTING),
        (("no-such-bundle", *pairs, *out), ErrorCode.UNKNOWN_BUNDLE),
        ((tmp_path / "file", *pairs, *out), ErrorCode.INVALID_BUNDLE),
        ((bundle, *pairs, "--report", tmp_path / "file"), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--baseline", "gan=here", *out), ErrorCode.INVALID_SETTING),
        ((bundle, *pairs, "--baseline", f"unet={tmp_path / 'empty'}", *out), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--lpips", tmp_path / "none.pt", *out), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--inception", tmp_path / "file", *out), ErrorCode.INVALID_FILE),
        ((bundle, *pairs, "--embedder", tmp_path / "none.onnx", *out), ErrorCode.INVALID_FILE),
    ]
    for words, code in cases:
        assert refusal(*words).code is code, words
    assert not (tmp_path / "out" / "report.json").exists()
