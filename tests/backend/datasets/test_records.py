# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of ``dataset.jsonl``: what is written reads back equal, what is wrong is said and never believed."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lifelike.datasets.card import DataSetCard, card_text, read_card
from lifelike.datasets.record import LOOKS, Record, from_line, to_line
from lifelike_protocol.errors import LifelikeError

patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
NUMBERS = st.floats(-1e6, 1e6)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"[a-z0-9_][a-z0-9_ é.]{0,8}(/[a-z0-9_]{1,8}){0,2}\.png", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.builds(
    Record,
    file=NAMES,
    look=st.sampled_from(LOOKS),
    pair=TEXTS,
    identity=TEXTS,
    landmarks=st.none()
    | st.lists(NUMBERS, min_size=8, max_size=8).map(lambda values: np.tile(values, 17).reshape(68, 2)),
    attributes=st.dictionaries(TEXTS, VALUES, max_size=4),
    source=TEXTS,
    source_sha256=TEXTS,
    transform=st.none() | st.lists(NUMBERS, min_size=9, max_size=9).map(lambda values: np.reshape(values, (3, 3))),
    sha256=TEXTS,
)


@patient
@given(RECORDS)
def test_a_record_reads_back_equal(record) -> None:
    line = to_line(record)
    assert "\n" not in line
    assert from_line(line) == record


def test_records_that_differ_in_one_landmark_are_not_equal() -> None:
    moved = np.zeros((68, 2))
    moved[5, 1] = 1
    assert Record("a.png", landmarks=np.zeros((68, 2))) == Record("a.png", landmarks=np.zeros((68, 2)))
    assert Record("a.png", landmarks=np.zeros((68, 2))) != Record("a.png", landmarks=moved)
    assert Record("a.png", landmarks=np.zeros((68, 2))) != Record("a.png")


@patient
@given(st.text(max_size=60) | VALUES.map(json.dumps))
def test_any_other_line_is_refused_with_a_reason(line) -> None:
    with pytest.raises(ValueError, match=r"^(is not|has|names)"):
        from_line(line)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a.png", "a/../../b.png", "c:/a.png", "..\\a.png", "a\\b.png", "", "a\0.png"]
)
def test_names_cannot_lead_out_of_the_data_set(name) -> None:
    with pytest.raises(ValueError, match=r"names (no picture|a picture outside)"):
        from_line(json.dumps({"file": name}))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"landmarks": [[0, 0]] * 67}, "68 × 2"),
        ({"landmarks": [[0, float("nan")]] * 68}, "finite"),
        ({"landmarks": "many"}, "not numbers"),
        ({"transform": [[1, 0, 0], [0, 1, 0]]}, "3 × 3"),
        ({"look": "painting"}, "unknown look"),
        ({"identity": 7}, "identity that is not a text"),
        ({"attributes": [1]}, "attributes"),
    ],
)
def test_a_wrong_value_is_named(values, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        from_line(json.dumps({"file": "a.png", **values}))


def test_a_card_reads_back_and_knows_what_continues_it(tmp_path) -> None:
    card = DataSetCard("people", "dataset prepare", 256, seed=3, settings={"most_blur": 0.9}, licence="CC0-1.0")
    records = [Record("a.png", look="render", identity="anna"), Record("b.png", look="photo", identity="anna")]
    counted = card.counted(records, rejected=4)
    assert counted.counts == {"pictures": 2, "photo": 1, "render": 1, "identities": 1, "rejected": 4}
    (tmp_path / "card.json").write_text(card_text(counted), encoding="utf-8")
    assert read_card(tmp_path) == counted
    assert card.continues(counted) == []
    other = DataSetCard("else", "dataset prepare", 512, seed=3, settings={"most_blur": 0.8, "more": 1})
    assert card.continues(other) == ["resolution", "more", "most_blur"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "lifelike-dataset-1"}', '{"format": "other"}'])
def test_a_foreign_card_is_refused(tmp_path, text) -> None:
    (tmp_path / "card.json").write_text(text, encoding="utf-8")
    with pytest.raises(LifelikeError, match="not the card"):
        read_card(tmp_path)
