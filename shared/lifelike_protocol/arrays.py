# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays beside the header: on the wire each is a raw buffer of its own, named by a small reference.

A reference is the map `{"buffer": index, "dtype": name, "shape": [sides]}`. No array is ever copied into
or out of msgpack; a received array is a read-only view of the bytes that came from the socket.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ErrorCode, LifelikeError
from .messages import Array

DTYPES = {name: np.dtype(name).newbyteorder("<") for name in ("uint8", "float16", "float32", "float64")}
"""Every element type the wire knows, little-endian."""

REFERENCE_KEYS = frozenset({"buffer", "dtype", "shape"})
MAX_DIMENSIONS = 3
MAX_NESTING = 16
"""Deeper than any message; a header beyond it is nonsense and must not exhaust the stack."""

_REMEDY = "Send each array as PROTOCOL.md describes: one reference in the header, one buffer after it."


class ArrayWriter:
    """Collects the buffers of one message; its instances are msgpack's `default` hook."""

    def __init__(self) -> None:
        self.buffers: list[memoryview] = []

    def __call__(self, value: object) -> Any:
        """The reference that stands for an array in the header, or a plain number for a numpy scalar."""
        if isinstance(value, np.ndarray):
            return self._refer(value)
        if isinstance(value, np.generic):
            return value.item()
        raise TypeError(f"{type(value).__name__} cannot be sent")

    def _refer(self, array: Array) -> dict[str, Any]:
        if array.dtype.name not in DTYPES or array.size == 0:
            raise TypeError(f"an array of {array.dtype} and shape {array.shape} cannot be sent")
        contiguous = np.ascontiguousarray(array, dtype=DTYPES[array.dtype.name])
        self.buffers.append(contiguous.reshape(-1).view(np.uint8).data)
        return {"buffer": len(self.buffers) - 1, "dtype": array.dtype.name, "shape": list(array.shape)}


class ArrayReader:
    """Puts a message's buffers in the place of their references, checking every size first.

    Args:
        buffers: the frames after the header: bytes, memoryviews or zmq Frames.
        max_side: the longest side any array may have.
    """

    def __init__(self, buffers: Sequence[Any], max_side: int) -> None:
        self._buffers = [memoryview(getattr(buffer, "buffer", buffer)).cast("B") for buffer in buffers]
        self._unused = set(range(len(buffers)))
        self._max_side = max_side

    def place(self, body: dict[Any, Any]) -> dict[str, Any]:
        """`body` with an array for each reference.

        Raises:
            LifelikeError: MALFORMED, BUFFER_COUNT, SIZE_LIMIT or SIZE_MISMATCH.
        """
        return self._place_in_map(body, 0)

    def check_all_placed(self) -> None:
        """Refuses a message with buffers to spare.

        Raises:
            LifelikeError: BUFFER_COUNT.
        """
        if self._unused:
            raise LifelikeError(
                ErrorCode.BUFFER_COUNT, f"{len(self._unused)} buffers came that the header does not name.", _REMEDY
            )

    def _place(self, value: Any, depth: int) -> Any:
        if depth > MAX_NESTING:
            raise LifelikeError(ErrorCode.MALFORMED, "The header is nested too deeply.", _REMEDY)
        if isinstance(value, dict):
            if value.keys() == REFERENCE_KEYS:
                return self._array(value["buffer"], value["dtype"], value["shape"])
            return self._place_in_map(value, depth)
        if isinstance(value, list):
            return [self._place(item, depth + 1) for item in value]
        return value

    def _place_in_map(self, value: dict[Any, Any], depth: int) -> dict[str, Any]:
        if not all(isinstance(key, str) for key in value):
            raise LifelikeError(ErrorCode.MALFORMED, "A key in the header is not text.", _REMEDY)
        return {key: self._place(item, depth + 1) for key, item in value.items()}

    def _array(self, index: Any, dtype: Any, shape: Any) -> Array:
        sides = self._sides(shape)
        if not isinstance(dtype, str) or dtype not in DTYPES:
            raise LifelikeError(ErrorCode.MALFORMED, f"No array can have the element type {dtype!r:.40}.", _REMEDY)
        if type(index) is not int:
            raise LifelikeError(ErrorCode.MALFORMED, "A buffer's number is not a whole number.", _REMEDY)
        if index not in self._unused:
            raise LifelikeError(
                ErrorCode.BUFFER_COUNT, f"The header names buffer {index}, which is missing or named twice.", _REMEDY
            )
        self._unused.remove(index)
        buffer = self._buffers[index]
        expected = math.prod(sides) * DTYPES[dtype].itemsize
        if buffer.nbytes != expected:
            raise LifelikeError(
                ErrorCode.SIZE_MISMATCH,
                f"Buffer {index} has {buffer.nbytes} bytes where {dtype} {sides} needs {expected}.",
                _REMEDY,
            )
        array = np.frombuffer(buffer, DTYPES[dtype]).reshape(sides)
        if not array.flags.aligned:  # only small buffers, which share a block with their neighbours
            array = array.copy()
        array.flags.writeable = False
        return array

    def _sides(self, shape: Any) -> list[int]:
        if not isinstance(shape, list) or not 1 <= len(shape) <= MAX_DIMENSIONS:
            raise LifelikeError(ErrorCode.MALFORMED, "An array's shape is not a list of one to three sides.", _REMEDY)
        if any(type(side) is not int for side in shape):
            raise LifelikeError(ErrorCode.MALFORMED, "An array's side is not a whole number.", _REMEDY)
        if not all(1 <= side <= self._max_side for side in shape):
            raise LifelikeError(
                ErrorCode.SIZE_LIMIT,
                f"An array of shape {shape} has a side outside 1 to {self._max_side}.",
                "Send a picture of a sensible size.",
            )
        return shape
