# SPDX-License-Identifier: GPL-3.0-or-later
"""A changed face goes back without a seam, without losing detail, and without touching anything else."""

from __future__ import annotations

import numpy as np
import pytest

from lifelike.faces.alignment import align, portrait_transform, transform_points
from lifelike.faces.compositing import composite, face_mask, mask_box, soft_mask

CAST = np.array([0.12, -0.05, -0.06], np.float32)


def grey_noise(shape, seed=5):
    return np.random.default_rng(seed).uniform(0.3, 0.7, (*shape, 3)).astype(np.float32)


def spot(size, strength):
    """A change in the middle of the face, none along its outline."""
    y, x = np.mgrid[:size, :size] / size - 0.5
    return (strength * np.exp(-(x**2 + y**2) / 0.004))[:, :, None].astype(np.float32) * np.ones(3, np.float32)


def middle_of(transform, size):
    """Column and row of the frame under the portrait's centre."""
    return transform_points(transform, [[size / 2, size / 2]])[0].astype(int)


@pytest.mark.parametrize("width", [10, 90, 1000], ids=["small face", "face", "large face"])
def test_outside_the_mask_every_bit_stays(face_landmarks, width):
    side = max(64, int(2.2 * width))
    frame = grey_noise((side, side))
    frame[0] = -3.0
    frame[-1] = 7.5
    landmarks = face_landmarks((side / 2, side / 2), width, 11)
    mask = face_mask(landmarks, frame.shape)
    transform = portrait_transform(landmarks, 128)
    result = composite(frame, np.full((128, 128, 3), 0.2, np.float32), transform, mask, match_seam=False)
    outside = mask == 0
    assert result[outside].tobytes() == frame[outside].tobytes()
    assert np.abs(result[mask == 255] - frame[mask == 255] - 0.2).max() < 0.01
    assert result[~outside].min() >= 0
    assert result[~outside].max() <= 1


def test_the_frame_given_is_not_written_to(face_landmarks):
    frame = grey_noise((200, 200))
    before = frame.copy()
    landmarks = face_landmarks((100, 100), 80)
    composite(frame, spot(64, 0.3), portrait_transform(landmarks, 64), face_mask(landmarks, frame.shape))
    np.testing.assert_array_equal(frame, before)


def test_a_colour_cast_is_matched_at_the_seam(face_landmarks):
    frame = np.full((400, 400, 3), 0.5, np.float32)
    landmarks = face_landmarks((200, 210), 190, -9)
    mask, transform = face_mask(landmarks, frame.shape), portrait_transform(landmarks, 128)
    change = spot(128, 0.2) + CAST
    plain = composite(frame, change, transform, mask, match_seam=False)
    matched = composite(frame, change, transform, mask)
    seam = (mask > 60) & (mask < 200)
    assert np.abs(plain - frame)[seam].mean() > 0.03
    assert np.abs(matched - frame)[seam].max() < 0.02
    # What the face itself gained is still there.
    column, row = middle_of(transform, 128)
    assert matched[row, column].min() > 0.5 + 0.1


def test_shading_of_the_sides_does_not_recolour_the_middle(face_landmarks):
    """Only a cast that edge and middle share is taken from the middle."""
    frame = np.full((400, 400, 3), 0.5, np.float32)
    landmarks = face_landmarks((200, 210), 190)
    mask, transform = face_mask(landmarks, frame.shape), portrait_transform(landmarks, 128)
    y, x = np.mgrid[:128, :128] / 128 - 0.5
    change = np.repeat((-0.1 * (x**2 + y**2 > 0.04))[:, :, None], 3, axis=2).astype(np.float32)
    result = composite(frame, change, transform, mask)
    nose = landmarks[30].astype(int)
    assert np.abs(result[nose[1], nose[0]] - 0.5).max() < 0.02


def test_hair_that_changed_at_the_outline_does_not_bleed_into_the_face(face_landmarks):
    frame = np.full((400, 400, 3), 0.5, np.float32)
    landmarks = face_landmarks((200, 210), 190)
    mask, transform = face_mask(landmarks, frame.shape), portrait_transform(landmarks, 128)
    change = np.zeros((128, 128, 3), np.float32)
    change[:40] = -0.5
    result = composite(frame, change, transform, mask)
    chin = landmarks[57].astype(int)
    assert np.abs(result[chin[1], chin[0]] - 0.5).max() < 0.01


def test_detail_finer_than_the_portrait_stays(face_landmarks):
    frame = grey_noise((600, 600))
    landmarks = face_landmarks((300, 300), 280)
    portrait, transform = align(frame, landmarks, 64)
    mask = face_mask(landmarks, frame.shape)
    result = composite(frame, spot(64, 0.1), transform, mask)
    detail = np.diff(result, axis=1) - np.diff(frame, axis=1)
    assert np.abs(detail).max() < 0.01
    assert portrait.std() < 0.3 * frame.std()


def test_no_change_gives_the_frame(face_landmarks):
    frame = grey_noise((300, 300))
    landmarks = face_landmarks((150, 150), 120)
    result = composite(
        frame, np.zeros((64, 64, 3), np.float32), portrait_transform(landmarks, 64), face_mask(landmarks, frame.shape)
    )
    np.testing.assert_array_equal(result, frame)


@pytest.mark.parametrize("center", [(0, 100), (300, 20), (150, 199)])
def test_a_face_over_the_frames_edge_is_changed_up_to_the_edge(face_landmarks, center):
    frame = np.full((200, 300, 3), 0.5, np.float32)
    landmarks = face_landmarks(center, 120)
    mask = face_mask(landmarks, frame.shape)
    transform = portrait_transform(landmarks, 128)
    result = composite(frame, spot(128, 0.3), transform, mask)
    column, row = np.clip(middle_of(transform, 128), 0, (299, 199))
    assert mask[row, column] == 255
    assert result[row, column].min() > 0.6


def test_the_outline_holds_the_face_and_nothing_else(face_landmarks):
    landmarks = face_landmarks((200, 200), 160, 14)
    mask = face_mask(landmarks, (420, 400, 3))
    assert mask.dtype == np.uint8
    assert mask.shape == (420, 400)
    features = landmarks[27:68].astype(int)
    assert (mask[features[:, 1], features[:, 0]] > 230).all()
    middle = landmarks[27:36].mean(axis=0)
    outside = (middle + 1.15 * (landmarks[:17] - middle)).astype(int)
    assert not mask[outside[:, 1], outside[:, 0]].any()
    # Half a forehead above the brows still belongs to the face.
    brows, chin = landmarks[17:27].mean(axis=0), landmarks[8]
    forehead = (brows + 0.25 * (brows - chin)).astype(int)
    assert mask[forehead[1], forehead[0]] > 200
    # No step anywhere.
    assert np.abs(np.diff(mask.astype(int), axis=1)).max() < 40


def test_a_hard_mask_becomes_soft_and_never_larger(face_landmarks):
    landmarks = face_landmarks((200, 200), 150)
    sent = np.zeros((400, 400), np.uint8)
    sent[110:310, 130:270] = 255
    soft = soft_mask(sent, landmarks)
    assert (soft <= sent).all()
    assert soft[200, 200] == 255
    assert np.abs(np.diff(soft.astype(int), axis=1)).max() < 60
    assert soft[200, 131] < 60


def test_a_mask_of_the_whole_frame_ends_at_the_portraits_rim(face_landmarks):
    landmarks = face_landmarks((300, 300), 90)
    soft = soft_mask(np.full((600, 600), 255, np.uint8), landmarks)
    corners = portrait_transform(landmarks, 1)
    box = mask_box(soft)
    side = np.hypot(*corners[:2, 0])
    assert soft[300, 300] == 255
    assert box[2] - box[0] <= side + 2
    assert np.abs(np.diff(soft.astype(int), axis=0)).max() < 60


def test_an_empty_mask_changes_nothing(face_landmarks):
    frame = grey_noise((100, 100))
    empty = np.zeros((100, 100), np.uint8)
    transform = portrait_transform(face_landmarks((50, 50), 40), 64)
    assert mask_box(empty) == (0, 0, 0, 0)
    np.testing.assert_array_equal(composite(frame, spot(64, 0.3), transform, empty), frame)
