# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of bad input is answered with its own error, and the backend serves on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgpack
import numpy as np
import pytest

from lifelike_protocol.codec import encode
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import (
    Cancel,
    Error,
    FaceHint,
    Frame,
    Hello,
    Message,
    Ping,
    Pong,
    Result,
    Settings,
    Submit,
    Welcome,
)
from raw_client import RawClient
from running_backend import RunningBackend

Portrait = Callable[..., Frame]


@pytest.fixture
def raw(backend: RunningBackend) -> Iterator[RawClient]:
    """A raw client that has been welcomed; afterwards the backend must still answer it."""
    client = RawClient(backend)
    assert isinstance(client.ask(encode(Hello())), Welcome)
    yield client
    assert client.ask(encode(Ping(42))) == Pong(42)
    client.close()


def submit(frame: Frame, **changes: Any) -> list[Any]:
    """A submit whose header is changed afterwards: `changes` replace fields of the pixels' reference."""
    header, *buffers = encode(Submit("job", frame))
    head = msgpack.unpackb(header)
    head["body"]["frame"]["pixels"].update(changes)
    return [msgpack.packb(head), *buffers]


def header(**changes: Any) -> list[Any]:
    """A ping's header with entries replaced."""
    return [msgpack.packb({**msgpack.unpackb(encode(Ping())[0]), **changes})]


def code_of(answer: Message) -> str:
    assert isinstance(answer, Error)
    assert answer.what.endswith(".")
    assert "Traceback" not in answer.what
    return answer.code


FRAME = Frame(np.zeros((8, 8, 3), np.uint8))

BROKEN = {
    "empty header": ([b""], ErrorCode.MALFORMED),
    "not msgpack": ([b"\xc1\xff\xff"], ErrorCode.MALFORMED),
    "msgpack of something else": ([msgpack.packb([1, 2, 3])], ErrorCode.MALFORMED),
    "unknown message": (header(type="destroy"), ErrorCode.UNKNOWN_MESSAGE),
    "a message only backends send": (encode(Pong(1)), ErrorCode.UNKNOWN_MESSAGE),
    "another version": (header(lifelike=999), ErrorCode.VERSION_MISMATCH),
    "no version in common": (encode(Hello(versions=(998, 999))), ErrorCode.VERSION_MISMATCH),
    "a missing buffer": (encode(Submit("job", FRAME))[:1], ErrorCode.BUFFER_COUNT),
    "a buffer too many": ([*encode(Submit("job", FRAME)), b"more"], ErrorCode.BUFFER_COUNT),
    "a short buffer": ([encode(Submit("job", FRAME))[0], b"short"], ErrorCode.SIZE_MISMATCH),
    "zero size": (submit(FRAME, shape=[0, 8, 3]), ErrorCode.SIZE_LIMIT),
    "negative size": (submit(FRAME, shape=[-8, 8, 3]), ErrorCode.SIZE_LIMIT),
    "absurd size": (submit(FRAME, shape=[2**40, 2**40, 3]), ErrorCode.SIZE_LIMIT),
    "sizes that disagree": (submit(FRAME, shape=[8, 9, 3]), ErrorCode.SIZE_MISMATCH),
    "unknown element type": (submit(FRAME, dtype="object"), ErrorCode.MALFORMED),
    "an unknown job": (encode(Cancel("nobody's")), ErrorCode.UNKNOWN_JOB),
}


@pytest.mark.parametrize(("parts", "code"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_messages_have_their_own_error(raw: RawClient, parts: list[Any], code: ErrorCode) -> None:
    assert code_of(raw.ask(parts)) == code.value


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_pixels_that_are_not_finite_are_refused(raw: RawClient, value: float, dtype: type) -> None:
    parts = encode(Submit("job", Frame(np.zeros((8, 8, 3), dtype))))
    pixels = np.frombuffer(parts[1], dtype).copy()
    pixels[17] = value
    answer = raw.ask([parts[0], pixels.tobytes()])
    assert code_of(answer) == ErrorCode.NON_FINITE.value
    assert isinstance(answer, Error)
    assert answer.job == "job"


def test_who_says_no_hello_is_not_served(backend: RunningBackend) -> None:
    stranger = RawClient(backend)
    assert code_of(stranger.ask(encode(Ping()))) == ErrorCode.MALFORMED.value
    stranger.close()


def test_second_job_of_the_same_name_is_refused_and_the_first_goes_on(raw: RawClient, portrait: Portrait) -> None:
    raw.send(encode(Submit("twin", portrait(faces=2))))
    answers = [raw.ask(encode(Submit("twin", portrait()))), raw.ask(encode(Ping(7)))]
    while not any(isinstance(answer, Result) for answer in answers):
        answers.append(raw.receive())
    (refused,) = [answer for answer in answers if isinstance(answer, Error)]
    assert refused.code == ErrorCode.INVALID_SETTING.value
    assert refused.job == ""


def test_frame_beyond_the_limit_is_refused_and_one_within_is_not(
    start_backend: Callable[..., RunningBackend], portrait: Portrait
) -> None:
    with start_backend("--max-side", "256").connect() as client:
        with pytest.raises(LifelikeError) as refused:
            client.enhance(portrait(side=257))
        assert refused.value.code is ErrorCode.SIZE_LIMIT
        assert client.enhance(portrait(side=256)).faces


def test_unknown_bundle(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        with pytest.raises(LifelikeError) as unknown:
            client.enhance(portrait(), Settings(bundle="nobody's"))
        assert unknown.value.code is ErrorCode.UNKNOWN_BUNDLE
        assert client.enhance(portrait()).faces


def test_file_that_is_no_bundle(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        with pytest.raises(LifelikeError) as refused:
            client.enhance(portrait(), Settings(bundle=str(backend.log_file)))
        assert refused.value.code is ErrorCode.INVALID_BUNDLE
        assert client.enhance(portrait()).faces


def test_no_face(backend: RunningBackend, portrait: Portrait) -> None:
    with backend.connect() as client:
        with pytest.raises(LifelikeError) as none:
            client.enhance(Frame(np.full((256, 256, 3), 128, np.uint8)))
        assert none.value.code is ErrorCode.NO_FACE
        assert none.value.remedy
        assert client.enhance(portrait()).faces


@pytest.mark.parametrize(
    "landmarks",
    [np.zeros((68, 2)), np.full((68, 2), -5000.0), np.full((68, 2), 128.0), np.stack([np.arange(68.0)] * 2, 1)],
    ids=["all at the origin", "far outside", "all in one point", "on a line"],
)
def test_landmarks_of_no_face_are_answered(backend: RunningBackend, portrait: Portrait, landmarks: Any) -> None:
    frame = Frame(portrait().pixels, faces=(FaceHint(landmarks=landmarks),))
    with backend.connect() as client:
        with pytest.raises(LifelikeError) as refused:
            client.enhance(frame)
        assert refused.value.code not in (ErrorCode.INTERNAL, ErrorCode.BACKEND_GONE)
        assert client.enhance(portrait()).faces


@pytest.mark.parametrize("side", [1, 2, 7])
def test_tiny_frames_are_answered(backend: RunningBackend, portrait: Portrait, side: int) -> None:
    with backend.connect() as client:
        try:
            assert client.enhance(portrait(side=side)).pixels.shape == (side, side, 3)
        except LifelikeError as error:
            assert error.code not in (ErrorCode.INTERNAL, ErrorCode.BACKEND_GONE)  # noqa: PT017
        assert client.enhance(portrait()).faces
