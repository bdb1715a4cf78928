# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement, tuning and previews on whole frames, in the pipeline and through a real backend."""

from __future__ import annotations

from collections.abc import Callable

import msgpack
import numpy as np
import pytest
from attrs import evolve

from lifelike.pipeline import Listener, Pipeline
from lifelike_protocol.codec import decode, encode
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import (
    FaceHint,
    Frame,
    Hello,
    Inversion,
    Method,
    Preview,
    Progress,
    Restoration,
    Result,
    Settings,
    Stage,
    Submit,
    Welcome,
)
from raw_client import RawClient
from running_backend import RunningBackend
from small_bundle import small_bundle

Portrait = Callable[..., Frame]
LONGER = Settings(method=Method.DECODE, inversion=Inversion(refine=3, tune=2))


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return Pipeline(small_bundle())


@pytest.fixture
def frame(face_landmarks: Callable[..., np.ndarray]) -> Frame:
    """A smooth picture, (200, 320, 3) uint8, with two faces."""
    y, x = np.mgrid[:200, :320]
    pixels = np.stack([x * 0.6, y, 200 - 0.4 * x], 2).astype(np.uint8)
    faces = [FaceHint(name, face_landmarks(place, 60)) for name, place in (("Ann", (80, 100)), ("Bob", (240, 100)))]
    return Frame(pixels, faces=tuple(faces))


def test_every_face_is_looked_at_longer_and_the_next_run_is_as_before(pipeline: Pipeline, frame: Frame) -> None:
    first = pipeline.run(frame, Settings(method=Method.DECODE))
    errors: list[float | None] = []
    longer = pipeline.run(frame, LONGER, listener=Listener(errors.append))
    again = pipeline.run(frame, Settings(method=Method.DECODE))
    for before, after in zip(first.faces, longer.faces, strict=True):
        assert not np.array_equal(before.photo, after.photo), before.name
    assert np.array_equal(first.pixels, again.pixels), "the bundle's weights are its own again"
    # Two faces, each refined and tuned: a step more is measured than is taken.
    assert len(errors) == 2 * (4 + 3) + 1
    assert errors[-1] is None
    assert errors[3] < errors[0]


def test_refinement_and_tuning_each_do_their_part(pipeline: Pipeline, frame: Frame) -> None:
    results = [
        pipeline.run(frame, Settings(method=Method.DECODE, inversion=inversion)).pixels
        for inversion in (Inversion(), Inversion(refine=3), Inversion(tune=3))
    ]
    for index, one in enumerate(results):
        assert not any(np.array_equal(one, other) for other in results[index + 1 :])


def test_preview_comes_before_and_is_what_one_pass_makes(pipeline: Pipeline, frame: Frame) -> None:
    told: list[object] = []
    listener = Listener(lambda error: told.append("error"), told.append)
    pipeline.run(frame, LONGER, lambda stage, fraction: told.append(stage), listener)
    previews = [index for index, item in enumerate(told) if isinstance(item, np.ndarray)]
    assert len(previews) == 1
    assert "error" not in [item for item in told[: previews[0]] if isinstance(item, str)]
    assert "error" in [item for item in told[previews[0] :] if isinstance(item, str)]
    one_pass = pipeline.run(frame, Settings(method=Method.DECODE))
    assert np.array_equal(told[previews[0]], one_pass.pixels)


def test_there_is_no_preview_of_what_is_made_in_one_pass(pipeline: Pipeline, frame: Frame) -> None:
    previews: list[np.ndarray] = []
    pipeline.run(frame, Settings(), listener=Listener(preview=previews.append))
    assert previews == []


def test_progress_rises_and_most_of_it_is_the_longer_look(pipeline: Pipeline, frame: Frame) -> None:
    told: list[tuple[Stage, float]] = []
    listener = Listener(preview=lambda pixels: None)
    pipeline.run(frame, LONGER, lambda stage, fraction: told.append((stage, fraction)), listener)
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] <= fractions[-1] <= 1
    inverting = [fraction for stage, fraction in told if stage is Stage.INVERT]
    assert inverting[-1] - inverting[0] > 0.7


@pytest.mark.parametrize("measured", [1, 4, 6, 9])
def test_a_run_ends_at_any_step_and_the_next_one_works(pipeline: Pipeline, frame: Frame, measured: int) -> None:
    """In the refinement and in the tuning of either face."""
    errors: list[float | None] = []

    def stop(stage: Stage, fraction: float) -> None:
        if len(errors) == measured:
            raise LifelikeError(ErrorCode.CANCELLED, "Cancelled.")

    before = pipeline.run(frame, Settings()).pixels
    with pytest.raises(LifelikeError) as caught:
        pipeline.run(frame, LONGER, stop, Listener(errors.append))
    assert caught.value.code is ErrorCode.CANCELLED
    assert len(errors) == measured
    assert np.array_equal(pipeline.run(frame, Settings()).pixels, before)


def test_a_backend_sends_errors_one_preview_and_then_the_result(backend: RunningBackend, portrait: Portrait) -> None:
    frame = portrait()
    previews: list[Preview] = []
    errors: list[float] = []

    def hear(progress: Progress) -> None:
        if progress.error is not None:
            assert previews, "the preview comes before the longer look"
            errors.append(progress.error)

    nothing = Restoration(0.0, 0.0, 0.0, 0.0)
    settings = Settings(method=Method.DECODE, inversion=Inversion(refine=4), restoration=nothing)
    with backend.connect() as client:
        result = client.enhance(frame, settings, hear, on_preview=previews.append)
        unasked = client.submit(frame, settings)
        kinds = {type(event) for event in client.events(unasked)}
        one_pass = client.enhance(frame, evolve(settings, inversion=Inversion()))
    assert kinds == {Progress, Result}
    (preview,) = previews
    assert preview.pixels.dtype == frame.pixels.dtype
    # Not bit for bit: networks may have become faster ones in between.
    to_one_pass, to_result = (np.abs(preview.pixels.astype(int) - other.pixels).mean() for other in (one_pass, result))
    assert to_one_pass < 0.5 * to_result
    assert errors
    assert all(0 < error < 1 for error in errors)
    assert result.provenance.settings == settings


def test_a_backend_ends_in_the_middle_of_a_refinement(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        job = client.submit(portrait(), Settings(inversion=Inversion(refine=1000, tune=1000)))
        events = client.events(job)
        while getattr(next(events), "error", None) is None:
            pass
        client.cancel(job)
        with pytest.raises(LifelikeError) as caught:
            list(events)
        assert caught.value.code is ErrorCode.CANCELLED
        assert client.enhance(portrait()).faces, "the backend works on"


def test_a_client_of_version_1_is_served_as_before(backend: RunningBackend, portrait: Portrait) -> None:
    raw = RawClient(backend)
    try:
        assert raw.ask(encode(Hello((1,)), version=1)) == raw_welcome(raw)
        raw.send([bytes(part) for part in encode(Submit("job", portrait()), version=1)])
        while True:
            parts = raw.receive_parts()
            head = msgpack.unpackb(bytes(parts[0]))
            assert head["lifelike"] == 1
            assert "error" not in head["body"]
            if head["type"] == "result":
                break
        assert set(head["body"]["provenance"]["settings"]) == {"bundle", "strength", "method"}
        result = decode(parts)
        assert isinstance(result, Result)
        assert len(result.faces) == 1
    finally:
        raw.close()


def raw_welcome(raw: RawClient) -> Welcome:
    """What a second greeting of version 1 is answered with."""
    answer = raw.ask(encode(Hello((1,)), version=1))
    assert isinstance(answer, Welcome)
    assert answer.version == 1
    return answer
