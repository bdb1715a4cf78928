# SPDX-License-Identifier: GPL-3.0-or-later
"""The aligned portrait equals the FFHQ data set's, and goes back to where it came from."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lifelike.faces.alignment import align, portrait_transform, put_back, scale_of, take_portrait, transform_points
from lifelike.faces.ffhq import align_ffhq
from lifelike_protocol.errors import ErrorCode, LifelikeError

FIXTURES = ("inside", "over_the_edge", "shrunk")

placements = st.tuples(
    st.floats(60, 340),
    st.floats(60, 260),
    st.floats(30, 260),
    st.floats(-180, 180),
    st.sampled_from([48, 64, 128, 256]),
)


def fixture(folder, name):
    """The frame, its landmarks in this project's convention, and the expected portrait."""
    stem = folder / "fixtures" / "alignment" / name
    described = json.loads(stem.with_suffix(".json").read_text())
    frame, expected = (np.asarray(Image.open(f"{stem}_{kind}.png").convert("RGB")) for kind in ("input", "aligned"))
    # The data set counts from the first pixel's centre.
    return frame, np.array(described["landmarks"]) + 0.5, expected


def waves(transform, shape):
    """A frame (h, w, 3) float32 of waves at least 16 pixels long, in the portrait as in the frame."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    u, v = transform_points(np.linalg.inv(transform), np.stack([x.ravel(), y.ravel()], axis=1)).T
    unit = max(1.0, 1.0 / scale_of(transform))
    phases = np.stack([u / 16, v / 24, (u + v) / 40], axis=1) * 2 * np.pi / unit
    return (0.5 + 0.4 * np.sin(phases)).reshape(*shape, 3).astype(np.float32)


@pytest.mark.parametrize("name", FIXTURES)
def test_the_data_sets_procedure_is_matched_exactly(shared_folder, name):
    frame, landmarks, expected = fixture(shared_folder, name)
    portrait = align_ffhq(frame, landmarks, expected.shape[0])
    difference = np.abs(portrait.astype(int) - expected)
    assert difference.mean() <= 0.05
    assert difference.max() <= 1


@pytest.mark.parametrize("name", FIXTURES)
def test_the_fast_portrait_is_within_a_grey_level(shared_folder, name):
    frame, landmarks, expected = fixture(shared_folder, name)
    portrait = align((frame / 255).astype(np.float32), landmarks, expected.shape[0]).portrait * 255
    assert np.abs(portrait - expected).mean() <= 1.0


def test_bytes_and_floats_give_the_same_portrait(shared_folder):
    frame, landmarks, _ = fixture(shared_folder, "inside")
    from_bytes = align(frame, landmarks, 128).portrait
    from_floats = align((frame / 255).astype(np.float32), landmarks, 128).portrait
    np.testing.assert_allclose(from_bytes / 255, from_floats, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(placements)
def test_align_then_put_back_reproduces_a_smooth_frame(face_landmarks, placement):
    x, y, width, turn, size = placement
    landmarks = face_landmarks((x, y), width, turn)
    shape = (320, 400)
    frame = waves(portrait_transform(landmarks, size), shape)
    portrait, transform = align(frame, landmarks, size)
    values, (x0, y0, x1, y1) = put_back(portrait, transform, frame.shape)
    assert values.shape == (y1 - y0, x1 - x0, 3)
    rows, columns = np.mgrid[y0:y1, x0:x1] + 0.5
    u, v = transform_points(np.linalg.inv(transform), np.stack([columns.ravel(), rows.ravel()], 1)).T
    # Away from the portrait's rim, and from the frame's edges, whose surroundings are blurred.
    well_inside = (np.minimum(u, v) > 0.05 * size) & (np.maximum(u, v) < 0.95 * size)
    side = scale_of(transform) * size
    reach = 0.2 * side
    well_inside &= (columns.ravel() > reach) & (columns.ravel() < shape[1] - reach)
    well_inside &= (rows.ravel() > reach) & (rows.ravel() < shape[0] - reach)
    error = np.abs(values - frame[y0:y1, x0:x1]).reshape(-1, 3)[well_inside]
    assert error.size == 0 or error.max() < 0.04
    assert error.size == 0 or error.mean() < 0.012


@settings(max_examples=200, deadline=None)
@given(placements)
def test_landmarks_survive_the_transform_and_its_inverse(face_landmarks, placement):
    x, y, width, turn, size = placement
    landmarks = face_landmarks((x, y), width, turn)
    transform = portrait_transform(landmarks, size)
    there = transform_points(np.linalg.inv(transform), landmarks)
    back = transform_points(transform, there)
    assert np.abs(back - landmarks).max() < 1e-6
    assert ((there > 0) & (there < size)).all()


def test_a_dot_comes_back_to_its_own_pixel(face_landmarks):
    """Half a pixel lost anywhere would move the centre of gravity."""
    y, x = np.mgrid[:300, :300] + 0.5
    frame = np.exp(-((x - 141.3) ** 2 + (y - 163.8) ** 2) / (2 * 6.0**2)).astype(np.float32)[:, :, None]
    for size in (64, 256):
        portrait, transform = align(frame, face_landmarks((150, 150), 90, 17), size)
        values, (x0, y0, x1, y1) = put_back(portrait, transform, frame.shape)
        weights = values[:, :, 0]
        rows, columns = np.mgrid[y0:y1, x0:x1] + 0.5
        assert abs((columns * weights).sum() / weights.sum() - 141.3) < 0.02
        assert abs((rows * weights).sum() / weights.sum() - 163.8) < 0.02


def test_a_shrunk_portrait_is_antialiased(face_landmarks):
    """Stripes finer than a portrait pixel become their mean, not a moiré."""
    frame = np.zeros((1200, 1200, 1), np.float32)
    frame[:, ::2] = 1.0
    portrait = align(frame, face_landmarks((600, 600), 400, 8), 64).portrait
    assert np.abs(portrait - 0.5).max() < 0.02


def test_only_the_part_inside_the_frame_comes_back(face_landmarks):
    landmarks = face_landmarks((10, 190), 120)
    transform = portrait_transform(landmarks, 64)
    values, box = put_back(np.ones((64, 64, 4), np.float32), transform, (200, 220, 3))
    assert box[0] == 0
    assert box[3] == 200
    assert values.shape == (box[3] - box[1], box[2] - box[0], 4)
    y, x = np.mgrid[box[1] : box[3], box[0] : box[2]] + 0.5
    u, v = transform_points(np.linalg.inv(transform), np.stack([x.ravel(), y.ravel()], 1)).T
    inside = ((np.minimum(u, v) >= 0) & (np.maximum(u, v) <= 64)).reshape(values.shape[:2])
    np.testing.assert_allclose(values[inside], 1.0, atol=1e-5)
    assert not values[~inside].any()


def test_a_portrait_outside_the_frame_gives_nothing(face_landmarks):
    transform = portrait_transform(face_landmarks((-900, -900), 50), 64)
    values, box = put_back(np.ones((64, 64, 3), np.float32), transform, (200, 220, 3))
    assert values.shape == (0, 0, 3)
    assert box == (0, 0, 0, 0)


def test_a_mask_without_channels_can_be_taken(face_landmarks):
    transform = portrait_transform(face_landmarks((100, 100), 60), 32)
    mask = np.full((200, 200), 255, np.uint8)
    portrait = take_portrait(mask, transform, 32)
    assert portrait.shape == (32, 32)
    np.testing.assert_allclose(portrait, 255, atol=1e-2)


@pytest.mark.parametrize(
    "landmarks",
    [np.zeros((68, 2)), np.zeros((5, 2)), np.full((68, 2), np.nan)],
    ids=["one point", "too few", "not finite"],
)
def test_unusable_landmarks_are_refused_in_plain_words(landmarks):
    with pytest.raises(LifelikeError) as refused:
        portrait_transform(landmarks, 128)
    assert refused.value.code is ErrorCode.INVALID_SETTING
    assert "landmarks" in refused.value.what
    assert refused.value.remedy
