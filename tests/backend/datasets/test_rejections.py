# SPDX-License-Identifier: GPL-3.0-or-later
"""Every reason to leave a picture out is given to one that has it, and not to one that nearly has."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from portraits_in_scenes import framed, write_cases

from lifelike.bundles import load_bundle
from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.preparation import duplicates as duplicates_module
from lifelike.datasets.preparation.duplicates import Portrait, find_duplicates
from lifelike.datasets.preparation.examination import Examination, Work, examine, from_json, record_of, to_json
from lifelike.datasets.preparation.measures import yaw_of
from lifelike.datasets.preparation.outcome import outcome_of
from lifelike.datasets.preparation.thresholds import Reason, Thresholds
from lifelike.faces.alignment import take_portrait, transform_points
from lifelike.hashing import file_sha256

RESOLUTION = 128
LIMITS = Thresholds()
STRICT = Thresholds(most_yaw=14.0)
"""For the cases about turned heads: none of the examples' is turned beyond the default."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cases")


@pytest.fixture(scope="module")
def cases(folder: Path) -> dict[str, Examination]:
    """The examination of every case, by its name."""
    write_cases(folder / "loose")
    locator = load_bundle().locator
    assert locator is not None
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found = {}
    for path in sorted((folder / "loose").iterdir()):
        limits = STRICT if path.stem in ("frontal", "turned") else LIMITS
        sha256 = file_sha256(path)
        found[path.stem] = examine(
            path, path.name, sha256, Work(folder / "set", RESOLUTION, limits, ""), locator.locate
        )
    torch.set_num_threads(threads)
    return found


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        ("plain", [None]),
        ("smallish", [None]),
        ("small", [Reason.TOO_SMALL]),
        ("soft", [None]),
        ("blurred", [Reason.BLURRED]),
        ("edge", [None]),
        ("cut", [Reason.CUT_OFF]),
        ("apart", [None, None]),
        ("close", [Reason.TOO_CLOSE, Reason.TOO_CLOSE]),
        ("frontal", [None]),
        ("turned", [Reason.TURNED_AWAY]),
    ],
)
def test_a_face_is_left_out_for_its_reason_and_its_neighbour_is_kept(cases, folder, case, reasons) -> None:
    faces = cases[case].faces
    assert cases[case].reason is None
    assert [face.reason for face in faces] == reasons
    for face in faces:
        assert bool(face.file) == (face.reason is None)
        assert bool(face.detail) == (face.reason is not None)
        assert not face.file or (folder / "set" / face.file).is_file()


@pytest.mark.parametrize(("case", "reason"), [("empty", Reason.NO_FACE), ("damaged", Reason.UNREADABLE)])
def test_a_whole_picture_is_left_out_for_its_reason(cases, folder, case, reason) -> None:
    assert cases[case].reason is reason
    assert cases[case].faces == []
    assert cases[case].detail
    assert str(folder) not in cases[case].detail


def test_of_two_copies_the_larger_stays_and_other_people_stay_beside_it(cases) -> None:
    outcome = outcome_of([cases[name] for name in ("copy", "frontal", "plain", "apart")], LIMITS, RESOLUTION)
    rejected = {rejection.source: rejection for rejection in outcome.rejections}
    assert rejected["copy.jpg"].reason is Reason.DUPLICATE
    assert rejected["copy.jpg"].detail.endswith(("from frontal.png", "from apart.png"))
    kept = {record.source for record in outcome.records}
    assert {"plain.png", "apart.png"} <= kept
    assert outcome.pictures == 4
    loose = outcome_of([cases["copy"], cases["frontal"]], Thresholds(least_distance=0), RESOLUTION)
    assert len(loose.records) == 2


def test_the_outcome_does_not_depend_on_the_order(cases) -> None:
    names = ("copy", "frontal", "plain", "apart", "damaged")
    outcomes = [
        outcome_of([cases[name] for name in order], LIMITS, RESOLUTION)
        for order in itertools.islice(itertools.permutations(names), 0, None, 17)
    ]
    assert all(outcome == outcomes[0] for outcome in outcomes)


def test_a_record_says_where_in_its_source_the_portrait_was(cases, folder) -> None:
    [face] = cases["plain"].faces
    record = record_of(face, cases["plain"], RESOLUTION)
    stored = read_rgb(folder / "set" / record.file).astype(np.float32)
    source = read_rgb(folder / "loose" / record.source)
    assert np.abs(stored - take_portrait(source, record.transform, RESOLUTION)).mean() < 1.5
    eyes = record.landmarks[36:48].mean(axis=0)
    assert eyes == pytest.approx((RESOLUTION / 2, RESOLUTION * 0.47), abs=RESOLUTION * 0.05)
    assert record.source_sha256 == file_sha256(folder / "loose" / record.source)
    assert record.attributes["measures"]["side"] == pytest.approx(159, abs=6)


def test_landmarks_and_transform_agree_with_what_is_known_of_the_heads(shared_folder, tmp_path) -> None:
    heads = open_dataset(shared_folder / "heads").of_look("photo")[5:600:120]
    locator = load_bundle().locator
    assert locator is not None
    errors = []
    for number, head in enumerate(heads):
        place = np.array([30 + 40 * number, 60])
        picture = framed((Image.open(shared_folder / "heads" / head.file), tuple(place)), size=(520, 400))
        picture.save(tmp_path / f"{number}.png")
        [face] = examine(
            tmp_path / f"{number}.png", "", f"{number:064}", Work(tmp_path, 256, LIMITS, ""), locator.locate
        ).faces
        record = record_of(face, Examination("", ""), 256)
        known = head.landmarks + place
        across = np.linalg.norm(known[36:42].mean(axis=0) - known[42:48].mean(axis=0))
        errors.append(np.linalg.norm(transform_points(record.transform, record.landmarks) - known, axis=1) / across)
        assert face.measures.yaw == pytest.approx(head.attributes["yaw"], abs=9)
    assert np.median(errors) < 0.05


def test_an_examination_reads_back_equal(cases) -> None:
    for examination in cases.values():
        assert from_json(to_json(examination)) == examination


def test_a_turn_is_read_from_the_nose(face_landmarks) -> None:
    frontal = face_landmarks((100, 100), 80)
    assert yaw_of(frontal) == pytest.approx(0, abs=0.5)
    nose_left = frontal.copy()
    nose_left[30, 0] -= 12
    assert yaw_of(nose_left) > 10
    rolled = face_landmarks((100, 100), 160, turn=35)
    assert yaw_of(rolled) == pytest.approx(0, abs=0.5)


HASHES = st.integers(0, 2**12 - 1).map(lambda bits: f"{bits:064x}")
PORTRAITS = st.lists(
    st.tuples(st.floats(50, 700), st.floats(0, 1), HASHES).map(lambda values: Portrait("", *values)), max_size=8
).map(lambda portraits: [portrait._replace(name=f"{index}.png") for index, portrait in enumerate(portraits)])


@settings(deadline=None, max_examples=60)
@given(PORTRAITS, st.integers(0, 6), st.randoms(use_true_random=False))
def test_those_that_stay_differ_and_those_that_go_have_a_better_one(portraits, least, random) -> None:
    duplicates = find_duplicates(portraits, 256, least)
    shuffled = list(portraits)
    random.shuffle(shuffled)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates_module, "BLOCK", 3)
        assert find_duplicates(shuffled, 256, least) == duplicates
    by_name = {portrait.name: portrait for portrait in portraits}
    kept = [portrait for portrait in portraits if portrait.name not in duplicates]
    for a, b in itertools.combinations(kept, 2):
        assert (int(a.hash, 16) ^ int(b.hash, 16)).bit_count() >= least
    for name, duplicate in duplicates.items():
        better, worse = by_name[duplicate.kept], by_name[name]
        assert duplicate.kept not in duplicates
        assert (int(better.hash, 16) ^ int(worse.hash, 16)).bit_count() == duplicate.distance < least
        assert (min(better.side, 512), -better.blur) >= (min(worse.side, 512), -worse.blur)
