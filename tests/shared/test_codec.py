# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent is what arrives, whatever it is, and pixels are never copied on the way."""

from __future__ import annotations

from enum import Enum
from typing import Any

import attrs
import message_strategies
import msgpack
import numpy as np
import pytest
import zmq
from hypothesis import HealthCheck, given, settings

from lifelike_protocol import codec, messages
from lifelike_protocol.errors import ErrorCode, LifelikeError

patient = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)


def assert_same(got: Any, sent: Any) -> None:
    """Equal in value and type all the way down; arrays in element type, shape and every bit."""
    assert type(got) is type(sent)
    if attrs.has(type(sent)):
        for field in attrs.fields(type(sent)):
            assert_same(getattr(got, field.name), getattr(sent, field.name))
    elif isinstance(sent, tuple):
        assert len(got) == len(sent)
        for got_item, sent_item in zip(got, sent, strict=True):
            assert_same(got_item, sent_item)
    elif isinstance(sent, np.ndarray):
        assert (got.dtype, got.shape) == (sent.dtype, sent.shape)
        assert got.tobytes() == sent.tobytes()
    elif isinstance(sent, Enum):
        assert got is sent
    else:
        assert got == sent


def test_every_message_has_a_strategy() -> None:
    assert set(message_strategies.BY_KIND) == {*messages.CLIENT_MESSAGES, *messages.SERVER_MESSAGES}


@patient
@given(message_strategies.messages)
def test_round_trip(message: messages.Message) -> None:
    parts = codec.encode(message)
    assert_same(codec.decode([bytes(part) for part in parts]), message)


@patient
@given(message_strategies.submits)
def test_header_holds_no_pixels(message: messages.Submit) -> None:
    header, *buffers = codec.encode(message)
    head = msgpack.unpackb(header)
    shape = list(message.frame.pixels.shape)
    assert head["body"]["frame"]["pixels"] == {
        "buffer": 0, "dtype": message.frame.pixels.dtype.name, "shape": shape,
    }  # fmt: skip
    assert bytes(buffers[0]) == np.ascontiguousarray(message.frame.pixels).tobytes()


def test_pixels_are_not_copied_either_way() -> None:
    pixels = np.zeros((64, 32, 4), np.float32)
    parts = codec.encode(messages.Submit("job", messages.Frame(pixels)))
    assert np.shares_memory(np.frombuffer(parts[1], np.uint8), pixels)
    received = codec.decode(parts)
    assert isinstance(received, messages.Submit)
    assert np.shares_memory(received.frame.pixels, pixels)
    assert not received.frame.pixels.flags.writeable
    assert pixels.flags.writeable


def test_frames_of_a_socket_are_read_in_place() -> None:
    pixels = np.random.default_rng(0).random((256, 256, 3), np.float32)
    parts = [zmq.Frame(bytes(part)) for part in codec.encode(messages.Submit("job", messages.Frame(pixels)))]
    received = codec.decode(parts)
    assert isinstance(received, messages.Submit)
    assert np.shares_memory(received.frame.pixels, np.frombuffer(parts[1].buffer, np.uint8))
    del parts
    np.testing.assert_array_equal(received.frame.pixels, pixels)


def test_unaligned_buffer_becomes_an_aligned_array() -> None:
    landmarks = np.arange(136, dtype=np.float64).reshape(68, 2)
    frame = messages.Frame(np.zeros((2, 2, 3), np.uint8), faces=(messages.FaceHint("", landmarks),))
    parts = codec.encode(messages.Submit("job", frame))
    shifted = memoryview(bytearray(b"x" + bytes(parts[2])))[1:]
    received = codec.decode([parts[0], parts[1], shifted])
    assert isinstance(received, messages.Submit)
    got = received.frame.faces[0].landmarks
    assert got is not None
    assert got.flags.aligned
    np.testing.assert_array_equal(got, landmarks)


def test_big_endian_arrays_arrive_with_their_values() -> None:
    pixels = np.linspace(0, 1, 48, dtype=">f4").reshape(4, 4, 3)
    received = codec.decode(codec.encode(messages.Submit("job", messages.Frame(pixels))))
    assert isinstance(received, messages.Submit)
    np.testing.assert_array_equal(received.frame.pixels, pixels)
    assert received.frame.pixels.dtype == np.dtype("<f4")


def test_fields_with_defaults_may_be_left_out() -> None:
    head = {"lifelike": 1, "type": "error", "body": {"code": "no_face", "what": "No face."}}
    assert codec.decode([msgpack.packb(head)]) == messages.Error("no_face", "No face.")


def test_numpy_numbers_are_sent_as_numbers() -> None:
    progress = messages.Progress("job", messages.Stage.ALIGN, np.float32(0.5), np.int64(2))  # type: ignore[arg-type]
    assert codec.decode(codec.encode(progress)) == messages.Progress("job", messages.Stage.ALIGN, 0.5, 2)


def test_both_sides_pick_a_common_version() -> None:
    assert codec.negotiate_version((99, messages.PROTOCOL_VERSION, 0)) == messages.PROTOCOL_VERSION
    for offered in ((), (99,)):
        with pytest.raises(LifelikeError) as caught:
            codec.negotiate_version(offered)
        assert caught.value.code is ErrorCode.VERSION_MISMATCH


def test_a_client_of_version_1_is_spoken_to_in_version_1() -> None:
    """Old headers are read with today's defaults, and answers hold no field that the old side would refuse."""
    frame = messages.Frame(np.zeros((2, 2, 3), np.uint8))
    old = codec.encode(messages.Submit("job", frame, messages.Settings(strength=0.25), preview=True), version=1)
    head = msgpack.unpackb(old[0])
    assert head["lifelike"] == 1
    assert set(head["body"]) == {"job", "frame", "settings"}
    assert set(head["body"]["settings"]) == {"bundle", "strength", "method"}
    read = codec.decode(old)
    assert isinstance(read, messages.Submit)
    assert read.settings == messages.Settings(strength=0.25)
    assert not read.preview
    assert codec.negotiate_version((1,)) == 1


def test_terms_reach_a_client_that_knows_them_and_no_other() -> None:
    settings = messages.Settings()
    terms = {"licence": "CC-BY-NC-4.0", "non_commercial": True, "citation": "First work\nSecond work"}
    sent = messages.Result(
        "job",
        np.zeros((2, 2, 3), np.uint8),
        messages.Encoding(),
        (),
        {},
        messages.Provenance("b", "", settings, "cpu", {}, **terms),
    )
    for version, told in ((2, terms), (1, {})):
        parts = codec.encode(sent, version=version)
        head = msgpack.unpackb(parts[0])
        assert {key: value for key, value in head["body"]["provenance"].items() if key in terms} == told
        received = codec.decode(parts)
        assert isinstance(received, messages.Result)
        assert received.provenance == messages.Provenance("b", "", settings, "cpu", {}, **told)
    head["lifelike"] = 2
    head["body"]["provenance"]["non_commercial"] = 1
    with pytest.raises(LifelikeError) as caught:
        codec.decode([msgpack.packb(head), *parts[1:]])
    assert caught.value.code is ErrorCode.MALFORMED


def test_what_is_newer_than_its_header_is_refused() -> None:
    head = msgpack.unpackb(codec.encode(messages.Progress("job", messages.Stage.INVERT, 0.5, error=0.1))[0])
    assert codec.decode([msgpack.packb(head)])
    head["lifelike"] = 1
    with pytest.raises(LifelikeError) as caught:
        codec.decode([msgpack.packb(head)])
    assert caught.value.code is ErrorCode.MALFORMED


@pytest.mark.parametrize("code", list(ErrorCode))
def test_errors_cross_the_wire(code: ErrorCode) -> None:
    sent = LifelikeError(code, "It broke.", "Mend it.")
    message = codec.decode(codec.encode(codec.as_message(sent, "job")))
    assert isinstance(message, messages.Error)
    assert message.job == "job"
    got = codec.as_exception(message)
    assert (got.code, got.what, got.remedy) == (code, "It broke.", "Mend it.")


def test_an_error_code_of_a_newer_backend_is_still_an_error() -> None:
    got = codec.as_exception(messages.Error("volcano", "It erupted.", "Run."))
    assert (got.code, str(got)) == (ErrorCode.INTERNAL, "It erupted. Run.")
