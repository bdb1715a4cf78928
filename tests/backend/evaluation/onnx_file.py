# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a tiny ONNX network byte by byte, so that no package is needed: the mean of each channel.

An ONNX file is one protocol buffer message (onnx.proto): fields are a number, a wire type, and a value; here whole
numbers (type 0) and everything else with its length in front (type 2).
"""

from __future__ import annotations

from pathlib import Path

FLOAT, FLOAT16 = 1, 10


def write_channel_means(file: Path, shape: tuple[int | str, ...], kind: int = FLOAT) -> Path:
    """A network from pictures of this shape, (N, 3, H, W) or (N, H, W, 3), to (N, 3); a text is an open size."""
    axes = (1, 2) if shape[3] == 3 else (2, 3)
    reduce = _text(1, "pictures") + _text(2, "means") + _text(4, "ReduceMean")
    reduce += _part(5, _text(1, "axes") + b"".join(_number(8, axis) for axis in axes) + _number(20, 7))
    reduce += _part(5, _text(1, "keepdims") + _number(3, 0) + _number(20, 2))
    graph = _part(1, reduce) + _text(2, "channel means")
    graph += _part(11, _value("pictures", shape, kind)) + _part(12, _value("means", (shape[0], 3), kind))
    file.write_bytes(_number(1, 8) + _part(7, graph) + _part(8, _text(1, "") + _number(2, 13)))
    return file


def _value(name: str, shape: tuple[int | str, ...], kind: int) -> bytes:
    sizes = b"".join(_part(1, _text(2, size) if isinstance(size, str) else _number(1, size)) for size in shape)
    return _text(1, name) + _part(2, _part(1, _number(1, kind) + _part(2, sizes)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _part(field, value.encode())


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])
