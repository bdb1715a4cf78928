# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that can be wrong with a message is a typed error, found before anything is allocated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import msgpack
import numpy as np
import pytest

from lifelike_protocol import codec
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import (
    Cancel,
    Encoding,
    Error,
    FaceHint,
    FaceResult,
    Frame,
    Hello,
    LandmarkSource,
    Message,
    Ping,
    Progress,
    Provenance,
    Result,
    Settings,
    Stage,
    Submit,
)

PICTURE = np.zeros((4, 6, 3), np.float32)
LANDMARKS = np.ones((68, 2))
MASK = np.zeros((4, 6), np.uint8)
FRAME = Frame(PICTURE, faces=(FaceHint("a", LANDMARKS, MASK),))


def parts_of(message: Message) -> tuple[dict[str, Any], list[bytes]]:
    header, *buffers = codec.encode(message)
    return msgpack.unpackb(header), [bytes(buffer) for buffer in buffers]


def refusal(parts: list[Any], limits: codec.Limits | None = None) -> ErrorCode:
    with pytest.raises(LifelikeError) as caught:
        codec.decode(parts, limits)
    assert caught.value.what.endswith(".")
    return caught.value.code


def refusal_of_changed(change: Callable[[dict[str, Any]], Any], message: Message | None = None) -> ErrorCode:
    """What comes of a good message after `change` has been at its header."""
    head, buffers = parts_of(message or Submit("job", FRAME))
    assert codec.decode([msgpack.packb(head), *buffers])
    change(head)
    return refusal([msgpack.packb(head), *buffers])


def frame_of(head: dict[str, Any]) -> dict[str, Any]:
    return head["body"]["frame"]


@pytest.mark.parametrize(
    "header",
    [b"", b"\xc1", b"GET / HTTP/1.1\r\n\r\n", b"\x93\x01", b"\x80" * 2, b"\xdf\xff\xff\xff\xff", b"\xc7\xff\xff" * 3,
     b"\x91" * 5000, b"\xd9\x04\xff\xff\xff\xff", msgpack.packb(None), msgpack.packb([1, 2, 3]), msgpack.packb({}),
     msgpack.packb({"lifelike": "1", "type": "ping", "body": {}}), msgpack.packb({"lifelike": 1, "type": "ping"}),
     msgpack.packb({"lifelike": True, "type": "ping", "body": {}}),
     msgpack.packb({"lifelike": 1, "type": 5, "body": {}}), msgpack.packb({"lifelike": 1, "type": "ping", "body": []}),
     msgpack.packb({"lifelike": 1, "type": "ping", "body": {}, "more": 1})],
)  # fmt: skip
def test_header_that_is_none(header: bytes) -> None:
    assert refusal([header]) is ErrorCode.MALFORMED


def test_no_frames_at_all() -> None:
    assert refusal([]) is ErrorCode.MALFORMED


def test_header_larger_than_the_limit() -> None:
    limits = codec.Limits(max_header=1000)
    long = Cancel("x" * 2000)
    assert codec.decode(codec.encode(long)) == long
    assert refusal(codec.encode(long), limits) is ErrorCode.SIZE_LIMIT
    with pytest.raises(LifelikeError) as caught:
        codec.encode(long, limits)
    assert caught.value.code is ErrorCode.SIZE_LIMIT


def test_unknown_message() -> None:
    assert refusal_of_changed(lambda head: head.update(type="dance")) is ErrorCode.UNKNOWN_MESSAGE


def test_wrong_version() -> None:
    assert refusal_of_changed(lambda head: head.update(lifelike=99)) is ErrorCode.VERSION_MISMATCH


def test_wrong_version_is_told_before_what_it_might_have_changed() -> None:
    head = {"lifelike": 99, "type": "dance", "body": {"what": {"buffer": "?", "dtype": 0, "shape": 0}}}
    assert refusal([msgpack.packb(head)]) is ErrorCode.VERSION_MISMATCH


@pytest.mark.parametrize("message", [Hello((7,), "new"), Error("version_mismatch", "No.")])
def test_greeting_and_refusal_are_read_in_any_version(message: Message) -> None:
    head, _ = parts_of(message)
    head["lifelike"] = 7
    assert codec.decode([msgpack.packb(head)]) == message


def test_missing_frame() -> None:
    head, buffers = parts_of(Submit("job", FRAME))
    assert refusal([msgpack.packb(head), *buffers[:-1]]) is ErrorCode.BUFFER_COUNT


def test_extra_frame() -> None:
    head, buffers = parts_of(Submit("job", FRAME))
    assert refusal([msgpack.packb(head), *buffers, b""]) is ErrorCode.BUFFER_COUNT
    assert refusal([*codec.encode(Ping()), b"extra"]) is ErrorCode.BUFFER_COUNT


def test_buffer_named_twice() -> None:
    def name_first_twice(head: dict[str, Any]) -> None:
        frame_of(head)["faces"][0]["mask"]["buffer"] = 0

    assert refusal_of_changed(name_first_twice) is ErrorCode.BUFFER_COUNT


@pytest.mark.parametrize("index", [-1, 3, 2**63])
def test_buffer_that_is_not_there(index: int) -> None:
    assert refusal_of_changed(lambda head: frame_of(head)["pixels"].update(buffer=index)) is ErrorCode.BUFFER_COUNT


@pytest.mark.parametrize("shape", [[4, 6, 4], [6, 4, 3, 1], [4, 5, 3], [16384, 16384, 4]])
def test_size_that_disagrees_with_the_buffer(shape: list[int]) -> None:
    code = refusal_of_changed(lambda head: frame_of(head)["pixels"].update(shape=shape))
    assert code is (ErrorCode.SIZE_MISMATCH if len(shape) == 3 else ErrorCode.MALFORMED)


@pytest.mark.parametrize("shape", [[0, 6, 3], [4, 0, 3], [-4, 6, 3], [2**40, 2**40, 3], [16385, 1, 3]])
def test_zero_and_absurd_sizes(shape: list[int]) -> None:
    assert refusal_of_changed(lambda head: frame_of(head)["pixels"].update(shape=shape)) is ErrorCode.SIZE_LIMIT


def test_limit_of_a_side_is_configurable() -> None:
    parts = codec.encode(Submit("job", FRAME))
    assert codec.decode(parts, codec.Limits(max_side=6))
    assert refusal(parts, codec.Limits(max_side=5)) is ErrorCode.SIZE_LIMIT
    wide = codec.Limits(max_side=20000)
    assert codec.decode(codec.encode(Submit("job", Frame(np.zeros((1, 20000, 3), np.uint8))), wide), wide)


def test_too_many_faces() -> None:
    many = Submit("job", Frame(PICTURE, faces=(FaceHint(),) * 65))
    parts = codec.encode(many, codec.Limits(max_faces=65))
    assert refusal(parts) is ErrorCode.SIZE_LIMIT


@pytest.mark.parametrize(
    "reference",
    [{"dtype": "object"}, {"dtype": "float64"}, {"dtype": ">f4"}, {"dtype": None}, {"dtype": []}, {"shape": "463"},
     {"shape": []}, {"shape": [72]}, {"shape": [4.0, 6, 3]}, {"shape": [True, 6, 12]}, {"buffer": 0.0},
     {"buffer": None}],
)  # fmt: skip
def test_reference_that_makes_no_picture(reference: dict[str, Any]) -> None:
    code = refusal_of_changed(lambda head: frame_of(head)["pixels"].update(reference))
    assert code in (ErrorCode.MALFORMED, ErrorCode.SIZE_MISMATCH)


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 6, 2), np.uint8), np.zeros((4, 6, 5), np.float32), np.zeros((4, 6), np.uint8),
     np.zeros((4, 6, 3), np.float64), np.zeros((4, 6, 3), np.int32), np.zeros((4, 6, 3), bool),
     np.zeros((1, 4, 6, 3), np.uint8), np.full((4, 6, 3), None)],
)  # fmt: skip
def test_wrong_kind_of_picture_is_refused_before_sending(pixels: np.ndarray[Any, Any]) -> None:
    with pytest.raises(LifelikeError) as caught:
        codec.encode(Submit("job", Frame(pixels)))
    assert caught.value.code is ErrorCode.MALFORMED


def test_channels_are_counted_by_the_receiver_too() -> None:
    assert refusal_of_changed(lambda h: frame_of(h)["pixels"].update(shape=[4, 9, 2])) is ErrorCode.MALFORMED


def test_empty_picture_is_refused_before_sending() -> None:
    with pytest.raises(LifelikeError) as caught:
        codec.encode(Submit("job", Frame(np.zeros((0, 6, 3), np.uint8))))
    assert caught.value.code is ErrorCode.SIZE_LIMIT


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("where", [(0, 0, 0), (599, 699, 2), (300, 0, 1)])
def test_pixels_that_are_not_finite(value: float, dtype: type, where: tuple[int, int, int]) -> None:
    pixels = np.zeros((600, 700, 3), dtype)
    header, _ = codec.encode(Submit("job", Frame(pixels)))
    pixels[where] = value
    assert refusal([header, pixels.tobytes()]) is ErrorCode.NON_FINITE
    with pytest.raises(LifelikeError) as caught:
        codec.encode(Submit("job", Frame(pixels)))
    assert caught.value.code is ErrorCode.NON_FINITE


@pytest.mark.parametrize(("value", "code"), [(np.nan, ErrorCode.NON_FINITE), (1e12, ErrorCode.SIZE_LIMIT)])
def test_landmarks_that_are_nowhere(value: float, code: ErrorCode) -> None:
    head, buffers = parts_of(Submit("job", FRAME))
    landmarks = LANDMARKS.copy()
    landmarks[67, 1] = value
    buffers[1] = landmarks.tobytes()
    assert refusal([msgpack.packb(head), *buffers]) is code


def test_mask_of_another_size_than_the_picture() -> None:
    def turn(head: dict[str, Any]) -> None:
        frame_of(head)["faces"][0]["mask"]["shape"] = [6, 4]

    assert refusal_of_changed(turn) is ErrorCode.SIZE_MISMATCH


@pytest.mark.parametrize("strength", [-0.001, 1.001, 2, -1e300])
def test_strength_outside_its_range(strength: float) -> None:
    code = refusal_of_changed(lambda head: head["body"]["settings"].update(strength=strength))
    assert code is ErrorCode.INVALID_SETTING


@pytest.mark.parametrize(
    ("group", "field", "value"),
    [("inversion", "refine", -1), ("inversion", "refine", 1001), ("inversion", "tune", 10**9),
     ("restoration", "iris", -0.1), ("restoration", "skin", 1.1), ("restoration", "background", 2),
     ("restoration", "accessories", -1)],
)  # fmt: skip
def test_inversion_and_restoration_outside_their_range(group: str, field: str, value: float) -> None:
    code = refusal_of_changed(lambda head: head["body"]["settings"][group].update({field: value}))
    assert code is ErrorCode.INVALID_SETTING


@pytest.mark.parametrize(("group", "field", "value"), [("inversion", "refine", 2.5), ("inversion", "tune", True)])
def test_steps_that_are_no_whole_number(group: str, field: str, value: object) -> None:
    code = refusal_of_changed(lambda head: head["body"]["settings"][group].update({field: value}))
    assert code is ErrorCode.MALFORMED


@pytest.mark.parametrize("strength", [float("nan"), float("inf")])
def test_strength_that_is_no_number(strength: float) -> None:
    code = refusal_of_changed(lambda head: head["body"]["settings"].update(strength=strength))
    assert code is ErrorCode.NON_FINITE


@pytest.mark.parametrize(
    "change",
    [{"method": "magic"}, {"method": None}, {"method": []}, {"bundle": ""}, {"bundle": "x" * 5000}],
)
def test_setting_that_does_not_exist(change: dict[str, Any]) -> None:
    code = refusal_of_changed(lambda head: head["body"]["settings"].update(change))
    assert code is ErrorCode.INVALID_SETTING


@pytest.mark.parametrize("change", [{"kind": "cmyk"}, {"gamma": 0}, {"gamma": -1.0}])
def test_encoding_that_does_not_exist(change: dict[str, Any]) -> None:
    code = refusal_of_changed(lambda head: frame_of(head)["encoding"].update(change))
    assert code is ErrorCode.INVALID_SETTING


@pytest.mark.parametrize(
    "change",
    [
        lambda head: head["body"].pop("job"),
        lambda head: head["body"].pop("frame"),
        lambda head: frame_of(head).pop("pixels"),
        lambda head: head["body"].update(extra=1),
        lambda head: frame_of(head)["source"].update(extra=1),
        lambda head: head["body"].update(job=5),
        lambda head: head["body"].update(job=None),
        lambda head: head["body"].update(frame=[]),
        lambda head: head["body"].update(settings=None),
        lambda head: head["body"]["settings"].update(strength="1"),
        lambda head: head["body"]["settings"].update(strength=True),
        lambda head: frame_of(head).update(faces={"0": {}}),
        lambda head: frame_of(head).update(faces="ab"),
        lambda head: frame_of(head)["source"].update(frame=1.5),
        lambda head: frame_of(head)["source"].update(scene=b"bytes"),
    ],
)
def test_missing_extra_and_mistyped_fields(change: Callable[[dict[str, Any]], Any]) -> None:
    assert refusal_of_changed(change) is ErrorCode.MALFORMED


def test_text_in_the_place_of_an_array() -> None:
    head, buffers = parts_of(Submit("job", FRAME))
    frame_of(head)["pixels"] = "pixels"
    assert refusal([msgpack.packb(head), *buffers]) is ErrorCode.MALFORMED
    frame_of(head)["pixels"] = [[0.0]]
    assert refusal([msgpack.packb(head), *buffers]) is ErrorCode.MALFORMED


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_progress_beyond_the_job(fraction: float) -> None:
    good = Progress("job", Stage.ALIGN, 0.5)
    assert refusal_of_changed(lambda h: h["body"].update(fraction=fraction), good) is ErrorCode.INVALID_SETTING


def test_greeting_without_a_version() -> None:
    assert refusal_of_changed(lambda head: head["body"].update(versions=[]), Hello()) is ErrorCode.VERSION_MISMATCH


FACE = FaceResult("a", LANDMARKS, LandmarkSource.SCENE, np.eye(3), np.zeros((5, 5, 3), np.uint8),
                  np.zeros((5, 5, 3), np.uint8), (1, 1, 4, 3), np.zeros((2, 3), np.uint8))  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"box": (1, 1, 3, 4)}, ErrorCode.SIZE_MISMATCH),
        ({"portrait": np.zeros((5, 4, 3), np.uint8)}, ErrorCode.SIZE_MISMATCH),
        ({"photo": np.zeros((6, 6, 3), np.uint8)}, ErrorCode.SIZE_MISMATCH),
        ({"transform": np.full((3, 3), np.nan)}, ErrorCode.NON_FINITE),
        ({"transform": np.eye(4)}, ErrorCode.MALFORMED),
        ({"landmarks": LANDMARKS[:5]}, ErrorCode.MALFORMED),
        ({"identity_similarity": float("nan")}, ErrorCode.NON_FINITE),
        ({"mask": np.zeros((2, 3), np.float32)}, ErrorCode.MALFORMED),
    ],
)
def test_results_are_checked_before_they_are_sent(change: dict[str, Any], code: ErrorCode) -> None:
    provenance = Provenance("b", "", Settings(), "cpu", {})
    good = Result("job", PICTURE, Encoding(), (FACE,), {}, provenance)
    assert codec.encode(good)
    bad = attrs.evolve(good, faces=(attrs.evolve(FACE, **change),))
    with pytest.raises(LifelikeError) as caught:
        codec.encode(bad)
    assert caught.value.code is code


@pytest.mark.parametrize("message", [Ping(2**70), Ping(object()), Cancel(Path("x")), object()])  # type: ignore[arg-type]
def test_what_msgpack_cannot_carry(message: Any) -> None:
    with pytest.raises(LifelikeError) as caught:
        codec.encode(message)
    assert caught.value.code is ErrorCode.MALFORMED


def test_job_of_a_message_that_is_refused() -> None:
    head, buffers = parts_of(Submit("portrait 7", FRAME))
    head["body"]["settings"]["strength"] = 9
    parts = [msgpack.packb(head), *buffers]
    assert refusal(parts) is ErrorCode.INVALID_SETTING
    assert codec.job_of(parts) == "portrait 7"
    for jobless in (
        [],
        [b"\xc1"],
        codec.encode(Ping()),
        [msgpack.packb({"lifelike": 1, "type": "x", "body": {"job": 1}})],
    ):
        assert codec.job_of(jobless) == ""
