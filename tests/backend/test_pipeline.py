# SPDX-License-Identifier: GPL-3.0-or-later
"""The five steps on a frame: what is changed, what is told, and how a run is ended."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from lifelike.pipeline import Pipeline
from lifelike.transfer import SINGLE_MODE
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, Frame, LandmarkSource, Method, Settings, Stage
from small_bundle import small_bundle

Placed = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(small_bundle())


@pytest.fixture
def frame(face_landmarks: Placed) -> Frame:
    """A smooth picture, (200, 320, 3) uint8, with two faces."""
    y, x = np.mgrid[:200, :320]
    pixels = np.stack([x * 0.6, y, 200 - 0.4 * x], 2).astype(np.uint8)
    faces = [FaceHint(name, face_landmarks(place, 60)) for name, place in (("Ann", (80, 100)), ("Bob", (240, 100)))]
    return Frame(pixels, faces=tuple(faces))


def test_each_face_is_changed_and_told(pipeline: Pipeline, frame: Frame) -> None:
    result = pipeline.run(frame, Settings())
    assert result.pixels.shape == frame.pixels.shape
    assert result.pixels.dtype == frame.pixels.dtype
    assert [face.name for face in result.faces] == ["Ann", "Bob"]
    covered = np.zeros(frame.pixels.shape[:2], bool)
    for face, hint in zip(result.faces, frame.faces, strict=True):
        x0, y0, x1, y1 = face.box
        assert face.mask.shape == (y1 - y0, x1 - x0)
        assert np.array_equal(face.landmarks, hint.landmarks)
        assert face.landmark_source is LandmarkSource.SCENE
        assert face.portrait.shape == face.photo.shape == (64, 64, 3)
        assert -1 <= face.identity_similarity <= 1
        covered[y0:y1, x0:x1] |= face.mask > 0
        inside = face.mask > 200
        changed = result.pixels[y0:y1, x0:x1][inside].astype(int) - frame.pixels[y0:y1, x0:x1][inside]
        assert np.abs(changed).mean() > 1
    assert np.array_equal(result.pixels[~covered], frame.pixels[~covered]), "outside the masks bit for bit"
    assert set(result.timings) == {stage.value for stage in Stage if stage not in (Stage.QUEUED, Stage.LOADING)} | {
        "total"
    }


def test_a_sent_mask_bounds_the_change(pipeline: Pipeline, frame: Frame) -> None:
    mask = np.zeros(frame.pixels.shape[:2], np.uint8)
    mask[90:110, 70:90] = 255
    hint = FaceHint("Ann", frame.faces[0].landmarks, mask)
    result = pipeline.run(Frame(frame.pixels, faces=(hint,)), Settings())
    x0, y0, x1, y1 = result.faces[0].box
    outside = np.ones_like(mask, bool)
    outside[y0:y1, x0:x1] = result.faces[0].mask == 0
    assert outside[:60].all()
    assert np.array_equal(result.pixels[outside], frame.pixels[outside])
    assert not np.array_equal(result.pixels, frame.pixels)


def test_strength_zero_changes_nothing(pipeline: Pipeline, frame: Frame) -> None:
    result = pipeline.run(frame, Settings(strength=0.0, method=Method.DIFFERENCE))
    assert np.abs(result.pixels.astype(int) - frame.pixels).max() <= 1


def test_progress_rises_through_all_stages(pipeline: Pipeline, frame: Frame) -> None:
    told: list[tuple[Stage, float]] = []
    pipeline.run(frame, Settings(), lambda stage, fraction: told.append((stage, fraction)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    assert list(dict.fromkeys(stage for stage, _ in told)) == [
        Stage.LOCATE,
        Stage.ALIGN,
        Stage.INVERT,
        Stage.TRANSFER,
        Stage.COMPOSITE,
    ]
    inside = [fraction for stage, fraction in told if stage is Stage.TRANSFER]
    assert len(set(inside)) > 4, "reports come from inside the generator too"


@pytest.mark.parametrize("stage", [Stage.LOCATE, Stage.ALIGN, Stage.INVERT, Stage.TRANSFER, Stage.COMPOSITE])
def test_a_run_ends_where_its_report_raises_and_the_next_one_works(
    pipeline: Pipeline, frame: Frame, stage: Stage
) -> None:
    def stop(now: Stage, fraction: float) -> None:
        if now is stage:
            raise LifelikeError(ErrorCode.CANCELLED, "Cancelled.")

    with pytest.raises(LifelikeError) as caught:
        pipeline.run(frame, Settings(), stop)
    assert caught.value.code is ErrorCode.CANCELLED
    assert len(pipeline.run(frame, Settings()).faces) == 2


def test_a_picture_without_faces_is_told(pipeline: Pipeline) -> None:
    with pytest.raises(LifelikeError) as caught:
        pipeline.run(Frame(np.zeros((64, 64, 3), np.uint8)), Settings())
    assert caught.value.code is ErrorCode.NO_FACE


def test_float_frames_keep_their_precision_and_alpha(pipeline: Pipeline, frame: Frame) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.random((200, 320, 4)).astype(np.float32)
    result = pipeline.run(Frame(pixels, faces=frame.faces), Settings())
    assert result.pixels.dtype == np.float32
    assert np.array_equal(result.pixels[..., 3], pixels[..., 3])


def test_small_faces_are_warned_of(pipeline: Pipeline, frame: Frame) -> None:
    result = pipeline.run(frame, Settings())
    assert any("small" in warning for warning in result.faces[0].warnings)


def test_a_bundle_with_one_generator_works_and_says_so(frame: Frame) -> None:
    result = Pipeline(small_bundle(pair=False, published=True)).run(frame, Settings(method=Method.DIFFERENCE))
    assert not np.array_equal(result.pixels, frame.pixels)
    for face in result.faces:
        assert SINGLE_MODE in face.warnings
        assert -1 <= face.identity_similarity <= 1


def test_a_bundle_without_encoder_is_refused(frame: Frame) -> None:
    bundle = small_bundle()
    bundle.encoder = None
    with pytest.raises(LifelikeError, match="no encoder") as caught:
        Pipeline(bundle).run(frame, Settings())
    assert caught.value.code is ErrorCode.INVALID_BUNDLE


def test_one_generator_runs_once_a_face(frame: Frame) -> None:
    bundle = small_bundle(pair=False, published=True)
    passes: list[object] = []
    bundle.photo.synthesis.register_forward_hook(lambda *_: passes.append(None))
    Pipeline(bundle).run(frame, Settings())
    assert len(passes) == len(frame.faces)
