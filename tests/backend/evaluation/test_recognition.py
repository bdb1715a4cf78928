# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognition: rank 1, same against different people, and who is compared with whom."""

from __future__ import annotations

import numpy as np
import pytest

from lifelike.evaluation.embedder import Embedder
from lifelike.evaluation.judging.identity import Identity
from lifelike.evaluation.material import material_of_pairs
from lifelike.evaluation.recognition import (
    area_under_curve,
    nearest_is_right,
    other_pose_gallery,
)
from lifelike.evaluation.score_curve import ScoreCurve
from lifelike.evaluation.separation import AreaUnderCurve, CosineTable, Sensitivity
from made_up_people import people_in_pairs

EVERYBODY = np.ones((1, 5))


def random_embeddings(people: int = 5, poses: int = 4, spread: float = 0.8) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors scattered about one direction a person, and who each is."""
    random = np.random.default_rng(3)
    who = np.repeat(np.arange(people), poses)
    vectors = random.normal(size=(people, 16))[who] + spread * random.normal(size=(len(who), 16))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), who


def test_rank_one() -> None:
    people, who = np.eye(3, dtype=np.float32), np.arange(3)
    assert nearest_is_right(people, who, people, who).tolist() == [1.0, 1.0, 1.0]
    assert nearest_is_right(np.roll(people, 1, 0), who, people, who).tolist() == [0.0, 0.0, 0.0]
    assert nearest_is_right(people, who, people, who, np.eye(3, dtype=np.bool_)).tolist() == [0.0, 0.0, 0.0]
    assert nearest_is_right(people[[0, 0]], np.array([0, 1]), people, who).tolist() == [1.0, 0.0]


def test_area_under_the_curve_counts_ties_half() -> None:
    assert area_under_curve(np.array([1.0, 1.0]), np.array([1.0, 1.0])) == 0.5
    assert area_under_curve(np.array([1.0, 3.0]), np.array([2.0])) == 0.5


def test_the_binned_area_is_the_exact_one() -> None:
    vectors, who = random_embeddings()
    queries = np.roll(vectors, 1, 1)
    queries = (vectors + 0.5 * queries) / np.linalg.norm(vectors + 0.5 * queries, axis=1, keepdims=True)
    table = CosineTable(queries, vectors, who, 5)
    cosines = queries @ vectors.T
    alike, itself = who[:, None] == who[None], np.eye(len(who), dtype=np.bool_)
    same, different = cosines[alike & ~itself], cosines[~alike]
    exact = area_under_curve(same, different)
    assert 0.5 < exact < 1
    assert AreaUnderCurve(table).of(EVERYBODY)[0] == pytest.approx(exact, abs=2e-3)
    expected = (same.mean() - different.mean()) / np.sqrt((same.var() + different.var()) / 2)
    assert Sensitivity(table).of(EVERYBODY)[0] == pytest.approx(expected, rel=0.01)
    edges, shares, _ = table.histogram(50)
    assert len(edges) == 51
    assert shares.sum() == pytest.approx(1.0)
    assert shares == pytest.approx(np.histogram(same, edges)[0] / len(same), abs=1.5 / len(same))


def test_one_person_alone_gives_that_persons_area() -> None:
    vectors, who = random_embeddings(spread=1.5)
    table = CosineTable(vectors, vectors, who, 5)
    alone = np.zeros((1, 5))
    alone[0, 2] = 1
    cosines = (vectors @ vectors.T)[who == 2]
    same = cosines[:, who == 2][~np.eye(4, dtype=np.bool_)]
    assert AreaUnderCurve(table).of(alone)[0] == pytest.approx(
        area_under_curve(same, cosines[:, who != 2].ravel()), abs=5e-3
    )
    assert AreaUnderCurve(table).count(alone) == 4


def test_score_curve_is_the_exact_area_also_with_many_scores() -> None:
    random = np.random.default_rng(1)
    for count, tolerance in ((50, 1e-12), (3000, 1e-3)):
        first, second = random.normal(0.5, 1, count), random.normal(0, 1, count)
        curve = ScoreCurve(first, second, np.arange(count) % 5, 5)
        assert curve.of(EVERYBODY)[0] == pytest.approx(area_under_curve(first, second), abs=tolerance)


def test_gallery_is_each_persons_next_pose() -> None:
    pairs = people_in_pairs(people=4, poses=3)
    allowed = ~other_pose_gallery(pairs.pose, pairs.identity)
    assert (allowed.sum(1) == 4).all()
    for query, entry in zip(*np.nonzero(allowed), strict=True):
        assert pairs.pose[entry] == (pairs.pose[query] + 1) % 3


def test_who_lacks_a_pose_stands_with_the_one_after_it() -> None:
    who, pose = np.array([1, 1, 1, 2, 2, 3]), np.array([0, 1, 2, 0, 2, 1])
    allowed = ~other_pose_gallery(pose, who)
    assert np.flatnonzero(allowed[0]).tolist() == [1, 4, 5]
    assert np.flatnonzero(allowed[5]).tolist() == [2, 4]  # nobody meets the own single picture


def test_identity_figures_of_known_embeddings() -> None:
    """An embedder that reads two numbers from a picture's corner: people are directions."""
    pairs = people_in_pairs(people=3, poses=2)
    for look in (pairs.render, pairs.photo):
        for index, person in enumerate(pairs.identity - 40):
            look[index, 0, 0] = (255 * np.eye(3)[person]).astype(np.uint8)
    pairs.photo[0, 0, 0] = (0, 255, 0)  # one truth is taken for the second person
    material = material_of_pairs(pairs)
    judge = Identity(Embedder("own", "a test's", "Known.", lambda portraits: portraits[:, :, 0, 0] + 1))
    for batch in material.batches(4):
        judge.see(batch, {"input": batch.inputs, "truth": batch.truths})
    found = {key: statistic.of(np.ones((1, 3)))[0] for key, statistic in judge.verdict(material).statistics.items()}
    assert found["own.cosine", "truth"] == pytest.approx(5 / 6)
    assert found["own.rank_one", "truth"] == pytest.approx(5 / 6)
    assert found["own.rank_one_other_pose", "input"] == 1.0
    assert found["own.rank_one_other_pose", "truth"] == pytest.approx(5 / 6)
    assert found["own.auc", "input"] == 1.0
    assert ("own.rank_one", "input") not in found


def test_people_with_one_picture_each_have_no_other_pose() -> None:
    material = material_of_pairs(people_in_pairs(people=3, poses=1))
    judge = Identity(Embedder("own", "a test's", "Known.", lambda portraits: portraits.mean((2, 3))))
    for batch in material.batches(4):
        judge.see(batch, {"input": batch.inputs, "truth": batch.truths})
    assert {key for key, _ in judge.verdict(material).statistics} == {"own.cosine", "own.rank_one"}
