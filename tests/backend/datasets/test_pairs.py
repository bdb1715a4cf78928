# SPDX-License-Identifier: GPL-3.0-or-later
"""Pairs of looks: both pictures and their landmarks at one resolution, people kept apart, bad sets named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.identities import LARGEST, identity_number, identity_range, within
from lifelike.datasets.pairs import RESERVED_IDENTITIES, load_faces, load_pairs
from lifelike_protocol.errors import ErrorCode, LifelikeError
from made_up_pairs import drawn_landmarks

patient = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def write_flat_pairs(folder: Path, identities: list[str], size: int = 16, photo: int = 200) -> None:
    """A set of flat pictures, the render look dark, the photo look bright."""
    folder.mkdir(exist_ok=True)
    rows = []
    for pose, identity in enumerate(identities):
        names = {look: f"{identity}_{look}.png" for look in ("render", "photo")}
        for look, level in (("render", 10), ("photo", photo)):
            Image.new("RGB", (size, size), (level, level, level)).save(folder / names[look])
        row = {"identity": identity, "pose": pose, "yaw": 2.5, "lm68": drawn_landmarks(size).tolist(), **names}
        rows.append(row | {"attributes": {"gender": 1.0}})
    (folder / "index.jsonl").write_text("\n".join(json.dumps(row) for row in rows))


def test_reserved_identities_never_reach_training(tmp_path) -> None:
    write_flat_pairs(tmp_path, ["00040", "00079", "00080", "00600"])
    pairs = load_pairs(tmp_path, 8, cache=tmp_path / "cache")
    assert list(pairs.reserved().identity) == [40, 79]
    assert list(pairs.training().identity) == [80, 600]
    assert not set(pairs.training().identity) & set(RESERVED_IDENTITIES)
    assert list(pairs.training(identity_range("79-80")).identity) == [40, 600]
    assert list(pairs.pose) == [0, 1, 2, 3]
    assert list(pairs.yaw) == [2.5] * 4
    assert pairs.attributes[0]["gender"] == 1.0
    assert pairs.landmarks[0] == pytest.approx(drawn_landmarks(8), abs=1e-4)
    assert pairs.render.max() == 10
    assert pairs.photo.min() == 200


def test_the_cache_gives_the_same_and_sees_a_changed_picture(tmp_path) -> None:
    write_flat_pairs(tmp_path, ["00100", "00101"])
    first = load_pairs(tmp_path, 8, tmp_path / "cache")
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()}
    again = load_pairs(tmp_path, 8, tmp_path / "cache")
    assert np.array_equal(again.photo, first.photo)
    assert {file.name: file.stat().st_mtime_ns for file in (tmp_path / "cache").iterdir()} == kept
    Image.new("RGB", (16, 16), (90, 90, 90)).save(tmp_path / "00100_photo.png")
    changed = load_pairs(tmp_path, 8, tmp_path / "cache")
    assert changed.photo[0].max() == 90
    assert changed.photo[1].min() == 200


def test_a_cut_off_cache_is_decoded_again(tmp_path) -> None:
    write_flat_pairs(tmp_path, ["00100"])
    load_pairs(tmp_path, 8, tmp_path / "cache")
    for raw in (tmp_path / "cache").glob("*.pixels"):
        raw.write_bytes(raw.read_bytes()[:-1])
    assert load_pairs(tmp_path, 8, tmp_path / "cache").render.max() == 10


def test_several_folders_become_one_set(tmp_path) -> None:
    write_flat_pairs(tmp_path / "a", ["00100"], size=16)
    write_flat_pairs(tmp_path / "b", ["anna", "00100"], size=8)
    pairs = load_pairs([tmp_path / "a", tmp_path / "b"], 8)
    assert list(pairs.identity) == [100, identity_number("anna"), 100]
    assert pairs.render.shape == (3, 8, 8, 3)
    assert pairs.landmarks[0] == pytest.approx(pairs.landmarks[1], abs=1e-4)


def test_a_pair_with_a_corrupt_half_is_left_out_and_named(tmp_path) -> None:
    write_flat_pairs(tmp_path, ["00100", "00101", "00102"])
    (tmp_path / "00101_photo.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    (tmp_path / "00102_render.png").unlink()
    assert list(load_pairs(tmp_path, 8).identity) == [100]
    dataset = open_dataset(tmp_path)
    dataset.pictures(8)
    assert sorted(problem.name for problem in dataset.problems) == ["00101_photo.png", "00102_render.png"]


def test_a_folder_without_pairs_is_refused(tmp_path) -> None:
    with pytest.raises(LifelikeError) as caught:
        load_pairs(tmp_path, 16)
    assert caught.value.code is ErrorCode.INVALID_FILE
    (tmp_path / "index.jsonl").write_text("not json")
    with pytest.raises(LifelikeError, match=r"index\.jsonl line 1 is not JSON"):
        load_pairs(tmp_path, 16)
    (tmp_path / "index.jsonl").unlink()
    Image.new("RGB", (16, 16)).save(tmp_path / "alone.png")
    with pytest.raises(LifelikeError, match="no pairs with landmarks"):
        load_pairs(tmp_path, 16)


def test_a_picture_smaller_than_asked_is_refused_by_name(tmp_path) -> None:
    write_flat_pairs(tmp_path, ["00100"], size=16)
    with pytest.raises(LifelikeError, match=r"00100_render\.png has 16 pixels a side, fewer than the 32"):
        load_pairs(tmp_path, 32)


def test_single_faces_come_from_renders_and_never_from_photographs(tmp_path) -> None:
    write_flat_pairs(tmp_path / "pairs", ["00100"])
    write_flat_pairs(tmp_path / "faces", ["00100"])
    row = {"image": "00100_photo.png", "identity": "someone", "lm68": drawn_landmarks(16).tolist()}
    (tmp_path / "faces" / "index.jsonl").write_text(json.dumps(row))
    faces = load_faces([tmp_path / "pairs", tmp_path / "faces"], 8)
    assert [int(picture.max()) for picture in faces.pictures] == [10, 200]
    assert faces.landmarks.shape == (2, 68, 2)


@patient
@given(st.lists(st.tuples(st.integers(0, 90), st.integers(0, 20)), min_size=1, max_size=5))
def test_ranges_hold_what_was_written(spans) -> None:
    ranges = identity_range(", ".join(f"{first}-{first + more}" if more else f"{first:05}" for first, more in spans))
    numbers = np.arange(120)
    expected = [any(first <= number <= first + more for first, more in spans) for number in numbers]
    assert list(within(numbers, ranges)) == expected


@patient
@given(st.text())
def test_a_range_is_understood_or_quoted(text) -> None:
    parts = [part.strip() for part in text.split(",")]
    try:
        ranges = identity_range(text)
    except LifelikeError as error:
        refused = str(error)
    else:
        assert len(ranges) == (len(parts) if text.strip() else 0)
        return
    assert any(f"“{part}”" in refused for part in parts)


@pytest.mark.parametrize("text", ["9-3", "0-7x", "-5", "3-", "1,,2", "0..79", "99999999999", "1;2", "٣-٤"])
def test_what_is_no_range_is_refused(text) -> None:
    with pytest.raises(LifelikeError, match="no identity"):
        identity_range(text)


@patient
@given(st.integers(0, LARGEST))
def test_digits_keep_their_number(number) -> None:
    assert identity_number(f"{number:05}") == number


@patient
@given(st.lists(st.text(min_size=1).filter(lambda name: not name.isdigit()), unique=True, max_size=30))
def test_names_have_numbers_of_their_own_beyond_all_digits(names) -> None:
    numbers = [identity_number(name) for name in names]
    assert len(set(numbers)) == len(names)
    assert all(LARGEST < number < 2**63 for number in numbers)
    assert numbers == [identity_number(name) for name in names]
