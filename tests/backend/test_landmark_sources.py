# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source finds a face, which face answers which hint, and that none of it reaches the network unasked."""

from __future__ import annotations

import importlib.util
import logging
import socket

import numpy as np
import pytest

from lifelike.faces import pretrained_landmarks
from lifelike.faces.landmarks import locate_faces
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, LandmarkSource

FRAME = np.full((300, 500, 3), 0.5, np.float32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    """No weights at hand, nothing may be fetched, and any attempt to connect fails the test."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("LIFELIKE_ALLOW_DOWNLOADS", raising=False)
    attempts = []

    def refuse(self, address, *rest):
        attempts.append(address)
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **how: refuse(None, where))
    pretrained_landmarks.release()
    yield tmp_path
    pretrained_landmarks.release()
    assert attempts == []


@pytest.fixture
def two_faces(face_landmarks):
    """A locator that finds two faces, the right one first."""
    left, right = face_landmarks((120, 150), 80), face_landmarks((360, 150), 120)
    return left, right, lambda display: [(right, 0.9), (left, 0.8)]


def rectangle(x0, x1):
    mask = np.zeros(FRAME.shape[:2], np.uint8)
    mask[:, x0:x1] = 255
    return mask


def test_without_weights_the_bundles_network_is_asked_and_nothing_is_fetched(two_faces):
    left, right, locator = two_faces
    faces = locate_faces(FRAME, (), locator)
    assert [face.source for face in faces] == [LandmarkSource.BUNDLE] * 2
    assert [face.name for face in faces] == ["face 1", "face 2"]
    np.testing.assert_allclose(faces[0].landmarks, left)
    np.testing.assert_allclose(faces[1].landmarks, right)
    assert faces[1].confidence == 0.9


def test_landmarks_from_the_scene_come_first_and_nothing_else_is_asked(face_landmarks):
    def never(display):
        raise AssertionError("the network was asked")

    sent = face_landmarks((100, 100), 70)
    mask = rectangle(40, 160)
    (face,) = locate_faces(FRAME, (FaceHint("Ada", sent, mask),), never)
    assert (face.name, face.source, face.confidence) == ("Ada", LandmarkSource.SCENE, 1.0)
    np.testing.assert_allclose(face.landmarks, sent)
    assert face.mask is mask


def test_hints_keep_the_senders_order(face_landmarks):
    hints = [FaceHint(name, face_landmarks((x, 120), 60)) for name, x in (("b", 400), ("a", 90), ("c", 250))]
    assert [face.name for face in locate_faces(FRAME, hints)] == ["b", "a", "c"]


def test_a_mask_without_landmarks_takes_the_face_under_it(two_faces):
    left, _, locator = two_faces
    mask = rectangle(60, 180)
    (face,) = locate_faces(FRAME, (FaceHint("Ada", None, mask),), locator)
    assert face.name == "Ada"
    assert face.mask is mask
    assert face.source is LandmarkSource.BUNDLE
    np.testing.assert_allclose(face.landmarks, left)


def test_a_known_face_found_again_is_one_face(two_faces):
    left, right, locator = two_faces
    hints = (FaceHint("known", right + 3.0), FaceHint("sought"))
    faces = locate_faces(FRAME, hints, locator)
    assert [(face.name, face.source) for face in faces] == [
        ("known", LandmarkSource.SCENE),
        ("sought", LandmarkSource.BUNDLE),
    ]
    np.testing.assert_allclose(faces[1].landmarks, left)


def test_a_bare_hint_takes_the_largest_face(two_faces):
    _, right, locator = two_faces
    (face,) = locate_faces(FRAME, (FaceHint("any"),), locator)
    np.testing.assert_allclose(face.landmarks, right)


def test_doubles_of_one_detection_are_merged(face_landmarks):
    face = face_landmarks((200, 150), 90)
    (kept,) = locate_faces(FRAME, (), lambda display: [(face + 4, 0.6), (face, 0.95), (face - 3, 0.5)])
    assert kept.confidence == 0.95


@pytest.mark.parametrize("locator", [None, lambda display: [], lambda display: [(np.full((68, 2), np.nan), 0.9)]])
def test_no_face_is_said_plainly(locator):
    with pytest.raises(LifelikeError) as refused:
        locate_faces(FRAME, (), locator)
    assert refused.value.code is ErrorCode.NO_FACE
    assert refused.value.remedy


def test_a_hint_outside_the_frame_or_with_an_empty_mask_is_left_out(face_landmarks):
    away = FaceHint("away", face_landmarks((-800, 100), 60))
    hidden = FaceHint("hidden", face_landmarks((100, 100), 60), rectangle(0, 0))
    here = FaceHint("here", face_landmarks((200, 100), 60))
    assert [face.name for face in locate_faces(FRAME, (away, hidden, here))] == ["here"]
    with pytest.raises(LifelikeError) as refused:
        locate_faces(FRAME, (away, hidden))
    assert refused.value.code is ErrorCode.NO_FACE


def test_a_hint_whose_face_is_not_found_is_left_out(two_faces):
    _, _, locator = two_faces
    hints = (FaceHint("nowhere", None, rectangle(480, 500)), FaceHint("here", None, rectangle(300, 440)))
    assert [face.name for face in locate_faces(FRAME, hints, locator)] == ["here"]


def test_unusable_landmarks_in_a_hint_are_refused():
    with pytest.raises(LifelikeError) as refused:
        locate_faces(FRAME, (FaceHint("Ada", np.zeros((68, 2))),))
    assert refused.value.code is ErrorCode.INVALID_SETTING


def test_damaged_weights_are_reported_and_the_next_source_used(empty_cache, two_faces, caplog):
    if importlib.util.find_spec("face_alignment") is None:
        pytest.skip("face-alignment is not installed")
    folder = empty_cache / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for name in (pretrained_landmarks.LANDMARK_WEIGHTS, pretrained_landmarks.DETECTOR_WEIGHTS):
        (folder / name).write_bytes(b"not weights")
    assert pretrained_landmarks.available()
    with caplog.at_level(logging.WARNING):
        faces = locate_faces(FRAME, (), two_faces[2])
    assert [face.source for face in faces] == [LandmarkSource.BUNDLE] * 2
    assert "face-alignment could not be loaded" in caplog.text
