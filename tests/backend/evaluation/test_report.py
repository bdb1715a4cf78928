# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole evaluation of a small bundle: what is in the report, its JSON, and its page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from attrs import evolve
from PIL import Image

from lifelike.datasets.dataset import open_dataset
from lifelike.evaluation.baselines.colour_transfer import ColourTransfer, colour_statistics
from lifelike.evaluation.embedder import bundle_embedder
from lifelike.evaluation.evaluate import evaluate_bundle, worst_pictures
from lifelike.evaluation.judges import load_look_classifier
from lifelike.evaluation.material import Material, material_of_pairs, material_of_renders
from lifelike.evaluation.page.page import write_page
from lifelike.evaluation.panel import Panel
from lifelike.evaluation.report import FORMAT, Report
from lifelike.evaluation.report_file import card_figures, read_report, write_report
from lifelike.evaluation.sheet import pick_rows
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method
from made_up_pairs import write_pairs
from made_up_people import people_in_pairs
from small_bundle import small_bundle


def panel_of(bundle) -> Panel:
    return Panel(embedders=(bundle_embedder(bundle),), looks=load_look_classifier())


@pytest.fixture(scope="module")
def evaluated() -> tuple[Report, Material, ColourTransfer]:
    """Six people, the first two of whom the colour statistics come from."""
    pairs, bundle = people_in_pairs(people=6), small_bundle()
    material = material_of_pairs(pairs, pairs.identity > 41)
    colours = ColourTransfer(colour_statistics(pairs, pairs.identity <= 41))
    report = evaluate_bundle(
        bundle, material, panel_of(bundle), baselines=[colours], resamples=100, batch=5, command="lifelike evaluate <x>"
    )
    return report, material, colours


def test_every_subject_has_its_figures(evaluated) -> None:
    report, _, _ = evaluated
    assert report.main == "difference"
    keys = [subject.key for subject in report.subjects]
    assert keys[:2] == ["difference", "decode"]
    assert {"colour_oracle", "colour_mean", "colour_change", "inversion", "input", "truth"} <= set(keys)
    for key in keys:
        assert report.has("look", key)
        assert report.has("psnr", key) == (key != "truth")
        assert report.has("bundle.cosine", key) == (key != "input")
    psnr = report.figure("psnr")
    assert (psnr.pictures, psnr.people) == (12, 4)
    assert psnr.low < psnr.value < psnr.high
    assert report.figure("look", "input").value in np.linspace(0, 1, 13)
    assert {entry.division for entry in report.groups} == {"gender", "age"}
    assert any(comparison.against == "input" for comparison in report.comparisons)
    with pytest.raises(KeyError):
        report.figure("psnr", "truth")


def test_batches_change_nothing(evaluated) -> None:
    report, material, colours = evaluated
    bundle = small_bundle()
    again = evaluate_bundle(bundle, material, panel_of(bundle), baselines=[colours], resamples=100, batch=12)
    for figure in report.figures:
        other = again.figure(figure.measure, figure.subject)
        assert other.value == pytest.approx(figure.value, rel=1e-3, abs=1e-3)
        assert (other.low is None) == (figure.low is None)


def test_the_method_asked_for_is_the_main_one_and_strength_nought_is_the_input() -> None:
    pairs, bundle = people_in_pairs(people=2), small_bundle()
    report = evaluate_bundle(bundle, pairs, panel_of(bundle), method=Method.DECODE, resamples=100)
    assert report.main == "decode"
    still = evaluate_bundle(bundle, pairs, panel_of(bundle), strength=0.0, resamples=100)
    assert still.figure("psnr").value == pytest.approx(still.figure("psnr", "input").value, abs=0.01)
    assert still.figure("bundle.cosine").value == pytest.approx(1.0, abs=1e-4)


def test_worst_pictures_come_worst_first(evaluated) -> None:
    report, _, _ = evaluated
    values = np.array(report.pictures.values["psnr"]["difference"])
    order = worst_pictures(report, "psnr", 5)
    assert values[order].tolist() == sorted(values)[:5]
    measures = tuple(evolve(m, better="lower") if m.key == "psnr" else m for m in report.measures)
    lower = worst_pictures(evolve(report, measures=measures), "psnr", 3)
    assert values[lower].tolist() == sorted(values, reverse=True)[:3]


def test_json_reads_back_equal_and_is_strict(evaluated, tmp_path) -> None:
    report, _, _ = evaluated
    file = tmp_path / "report.json"
    write_report(report, file)
    assert read_report(file) == report
    values = json.loads(file.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert values["format"] == FORMAT
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
    card = card_figures(report)
    assert card["figures"]["psnr"]["value"] == report.figure("psnr").value
    assert len(json.dumps(card)) < 3000
    assert "lifelike evaluate" not in json.dumps(card)  # a command's paths are nobody else's business
    for wrong in ("{}", "[]", "junk", json.dumps({**values, "format": "other"}), json.dumps({**values, "more": 1})):
        file.write_text(wrong)
        with pytest.raises(LifelikeError) as caught:
            read_report(file)
        assert caught.value.code is ErrorCode.INVALID_FILE


class Elements(HTMLParser):
    """Collects elements and checks that they are closed in order."""

    VOID = frozenset({"meta", "img", "br", "link", "input", "hr", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_page_needs_nothing_but_itself(evaluated, tmp_path) -> None:
    report, material, colours = evaluated
    hostile = evolve(report, provenance=evolve(report.provenance, bundle="<script>alert(1)</script>"))
    write_page(hostile, small_bundle(), material, [colours], tmp_path)
    text = (tmp_path / "report.html").read_text()
    elements = Elements()
    elements.feed(text)
    assert elements.open == []
    ids = {value for _, name, value in elements.attributes if name == "id"}
    for tag, name, value in elements.attributes:
        if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            inside = value.startswith("data:image/jpeg;base64,") or (value[:1] == "#" and value[1:] in ids)
            assert inside, (tag, name, value[:60])
    assert "http" not in text
    assert not re.search(r"url\((?!#)", text)
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "lifelike evaluate &lt;x&gt;" in text
    for words in ("Worst first: PSNR", "Worst first: identity", "Chosen without looking", "women (2)", "Left out"):
        assert (words in text) == (words != "Left out" or bool(report.missing))
    worst = report.pictures.names[worst_pictures(report, "psnr", 1)[0]]
    assert text.index(worst, text.index("Worst first: PSNR")) == min(
        text.index(name, text.index("Worst first: PSNR")) for name in report.pictures.names if name in text
    )
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width >= 6 * 128
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "sheet.png"]


def test_sheet_shows_people_in_turn_in_different_poses() -> None:
    material = material_of_pairs(people_in_pairs(people=6))
    chosen = pick_rows(material, 6)
    assert len(set(material.person[chosen])) == 6
    assert len(set(material.pose[chosen])) == 3


def test_renders_without_truth_give_what_needs_none(tmp_path) -> None:
    write_pairs(tmp_path, people=[40, 41, 42], poses=2, size=64)
    for file in tmp_path.glob("*_photo.png"):
        file.unlink()
    (tmp_path / "index.jsonl").unlink()  # a plain folder: nobody is named, no landmarks are known
    bundle = small_bundle()
    material = material_of_renders(open_dataset(tmp_path), 64, None, None)
    assert (len(material), material.people, material.truths) == (6, 6, None)
    report = evaluate_bundle(bundle, material, panel_of(bundle), resamples=100)
    assert {"bundle.cosine", "look", "look_auc", "detail_kept"} <= {measure.key for measure in report.measures}
    assert not report.has("psnr")
    assert not report.has("look", "truth")
    titles = [gone.title for gone in report.missing]
    assert len(set(titles)) == len(titles)
    assert any("another pose" in title for title in titles)
    assert any("PSNR" in title for title in titles)
    write_page(report, bundle, material, [], tmp_path / "out")
    assert "truth</figcaption>" not in (tmp_path / "out" / "report.html").read_text()


def test_the_same_pose_twice_is_numbered_anew() -> None:
    pairs = people_in_pairs(people=3, poses=2)
    pairs.pose[:] = 0
    assert material_of_pairs(pairs).pose.tolist() == [0, 1] * 3


def test_pictures_of_another_size_are_refused() -> None:
    bundle = small_bundle()
    with pytest.raises(LifelikeError) as caught:
        evaluate_bundle(bundle, people_in_pairs(people=2, size=32), panel_of(bundle))
    assert caught.value.code is ErrorCode.INVALID_SETTING
    assert "32" in caught.value.what
    assert "64" in caught.value.what


def test_the_page_is_a_file_of_the_package() -> None:
    import lifelike.evaluation.page as page

    assert (Path(page.__file__).parent / "report.html.jinja").is_file()
