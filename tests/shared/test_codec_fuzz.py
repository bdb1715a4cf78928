# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever the bytes: a message or a LifelikeError, nothing else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import message_strategies
import msgpack
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lifelike_protocol import codec
from lifelike_protocol.errors import LifelikeError
from lifelike_protocol.messages import Message

fuzz = settings(deadline=None, max_examples=100, suppress_health_check=list(HealthCheck))


def decode_anything(parts: list[bytes]) -> None:
    """Fails with anything but a LifelikeError; what is read can be written again."""
    with suppress(LifelikeError):
        message = codec.decode(parts)
        assert_sendable(message)
    assert isinstance(codec.job_of(parts), str)


def assert_sendable(message: Message) -> None:
    try:
        assert codec.encode(message)
    except LifelikeError as error:
        pytest.fail(f"{message} was read but cannot be written: {error}")


@fuzz
@given(st.lists(st.binary(max_size=200), max_size=4))
def test_arbitrary_bytes(parts: list[bytes]) -> None:
    decode_anything(parts)


json_like = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5)
    | st.binary(max_size=5) | st.just({"buffer": 0, "dtype": "uint8", "shape": [1, 1, 3]}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.binary(max_size=3), inner),
    max_leaves=12,
)  # fmt: skip


@fuzz
@given(st.sampled_from([codec.message_name(kind) for kind in message_strategies.BY_KIND]), json_like)
@example("status", {"versions": {b"x": 1}})
@example("submit", {b"job": 1, "job": 2})
def test_arbitrary_bodies(name: str, body: Any) -> None:
    decode_anything([msgpack.packb({"lifelike": 1, "type": name, "body": body}), b"abc"])


@fuzz
@given(message_strategies.messages, st.data())
def test_good_messages_with_one_value_replaced(message: Message, data: st.DataObject) -> None:
    header, *buffers = codec.encode(message)
    head = msgpack.unpackb(header)
    place: Any = head["body"]
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = data.draw(st.sampled_from(keys))
        if not isinstance(place[key], (dict, list)) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(json_like)
    decode_anything([msgpack.packb(head), *map(bytes, buffers)])


@fuzz
@given(message_strategies.messages, st.data())
def test_good_messages_with_bytes_flipped(message: Message, data: st.DataObject) -> None:
    parts = [bytearray(part) for part in codec.encode(message)]
    part = data.draw(st.sampled_from(parts))
    for _ in range(data.draw(st.integers(1, 4))):
        part[data.draw(st.integers(0, len(part) - 1))] = data.draw(st.integers(0, 255))
    decode_anything([bytes(part) for part in parts])
