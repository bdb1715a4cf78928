# SPDX-License-Identifier: GPL-3.0-or-later
"""Intervals, groups, gaps and differences, on numbers whose distribution is known."""

from __future__ import annotations

import numpy as np
import pytest

from lifelike.evaluation.bootstrap import draws, estimate, interval
from lifelike.evaluation.figures import comparison_figures, figures_of, gap_figures, group_figures
from lifelike.evaluation.groups import age_band, divisions, ethnicity, gender, makehuman_years
from lifelike.evaluation.report import HIGHER, LOWER, NEAR_ONE, Measure
from lifelike.evaluation.statistic import Mean, Median, WholeSet


def measure(key: str, better: str) -> Measure:
    return Measure(key, key, better, "", "")


def test_mean_and_median_weigh_people_and_leave_out_what_is_missing() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, np.nan, 10.0])
    person = np.array([0, 0, 1, 1, 2, 2])
    weights = np.array([[1.0, 1, 1], [0, 2, 1], [0, 0, 0]])
    expected = [[1.0, 2, 3, 4, 10], [3.0, 3, 4, 4, 10]]
    for kind, of in ((Mean, np.mean), (Median, np.median)):
        statistic = kind(values, person, 3)
        found = statistic.of(weights)
        assert found[:2] == pytest.approx([of(part) for part in expected])
        assert np.isnan(found[2])
        assert statistic.count(weights) == 5


def test_nothing_known_is_no_number() -> None:
    for kind in (Mean, Median):
        statistic = kind(np.array([np.nan, np.nan]), np.array([0, 1]), 2)
        assert estimate(statistic, draws(2, 100, 0)) == (None, None, None)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """People differ, their pictures hardly: an interval that took pictures for independent would cover a third."""
    random = np.random.default_rng(7)
    covered = 0
    for trial in range(200):
        people, poses = 30, 4
        person = np.repeat(np.arange(people), poses)
        values = random.normal(5.0, 1.0, people)[person] + 0.05 * random.normal(size=people * poses)
        _, low, high = estimate(Mean(values, person, people), draws(people, 400, trial))
        covered += low < 5.0 < high
    assert 0.87 * 200 <= covered <= 0.99 * 200


def test_draws_are_people_with_replacement_and_repeat_with_their_seed() -> None:
    first = draws(10, 500, 3)
    assert np.array_equal(first, draws(10, 500, 3))
    assert not np.array_equal(first, draws(10, 500, 4))
    assert (first.sum(1) == 10).all()
    assert (first == 0).mean() == pytest.approx(0.9**10, abs=0.02)


def test_no_interval_from_two_people_or_of_a_whole_set() -> None:
    statistic = Mean(np.arange(4.0), np.arange(4), 4)
    two = np.array([True, True, False, False])
    assert estimate(statistic, draws(4, 100, 0), two) == (0.5, None, None)
    assert estimate(WholeSet(3.5, 4), draws(4, 100, 0)) == (3.5, None, None)
    assert interval(np.full(10, np.nan)) == (None, None)


def test_groups_are_what_the_data_states() -> None:
    people = [
        {"gender": 0.2, "age": 0.5, "ethnicity": {"african": 0.8, "asian": 0.1, "caucasian": 0.1}},
        {"gender": 0.9, "age": 0.7, "ethnicity": {"african": 0.4, "asian": 0.3, "caucasian": 0.3}},
        {"gender": "female", "age": 55, "ethnicity": "asian"},
        {},
    ]
    found = divisions(people)
    assert found["gender"]["women"].tolist() == [True, False, True, False]
    assert list(found["age"]) == ["under 30", "50 and over"]
    assert found["ethnicity"]["mixed"].tolist() == [False, True, False, False]
    assert divisions([{"gender": 0.1}, {"gender": 0.2}]) == {}
    assert [gender({}), age_band({}), ethnicity({}), age_band({"age": -1})] == [None] * 4
    assert [makehuman_years(slider) for slider in (0, 0.5, 1)] == [1, 25, 90]
    assert gender({"gender": "diverse"}) == "diverse"


def test_group_figures_and_the_worst_groups_gap() -> None:
    values = np.array([10.0, 10, 10, 8, 8, 8])
    statistics = {
        ("up", "it"): Mean(values, np.arange(6), 6),
        ("down", "it"): Median(values, np.arange(6), 6),
        ("one", "it"): Mean(values / 9, np.arange(6), 6),
        ("set", "it"): WholeSet(1.0, 6),
    }
    groups = {"gender": {"women": values > 9, "men": values < 9}, "few": {"a": values > 9, "b": np.arange(6) > 4}}
    resampled = draws(6, 200, 0)
    figures = {(g.division, g.group, g.figure.measure): g.figure for g in group_figures(statistics, groups, resampled)}
    assert figures["gender", "women", "up"].value == 10
    assert (figures["gender", "men", "up"].people, figures["gender", "men", "up"].pictures) == (3, 3)
    assert ("gender", "men", "set") not in figures
    measures = [measure("up", HIGHER), measure("down", LOWER), measure("one", NEAR_ONE), measure("set", HIGHER)]
    gaps = {gap.measure: gap for gap in gap_figures(statistics, groups, resampled, measures)}
    assert (gaps["up"].group, gaps["up"].shortfall) == ("men", pytest.approx(1 / 9))
    assert (gaps["down"].group, gaps["down"].shortfall) == ("women", pytest.approx(1 / 9))
    assert gaps["one"].shortfall == pytest.approx(1 / 9)
    assert {gap.division for gap in gaps.values()} == {"gender"}  # one of the "few" is one person


def test_differences_are_paired_and_gains_are_shared() -> None:
    random = np.random.default_rng(2)
    hard = random.normal(25, 5, 40)  # how hard a person is moves everything alike
    values = {"input": hard, "it": hard + 1.5 + 0.01 * random.normal(size=40), "unet": hard + 2.0, "worse": hard - 1}
    statistics = {("psnr", key): Mean(own, np.arange(40), 40) for key, own in values.items()}
    found = {c.against: c for c in comparison_figures(statistics, "it", draws(40, 300, 0), [measure("psnr", HIGHER)])}
    assert found["input"].difference == pytest.approx(1.5, abs=0.01)
    assert found["input"].high - found["input"].low < 0.02
    assert found["unet"].share == pytest.approx(0.75, abs=0.01)
    assert found["unet"].share_low < found["unet"].share < found["unet"].share_high
    assert found["worse"].share is None
    spread = {f.subject: f for f in figures_of(statistics, draws(40, 300, 0))}["it"]
    assert spread.high - spread.low > 1
