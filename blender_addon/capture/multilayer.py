# SPDX-License-Identifier: GPL-3.0-or-later
"""One layer of an uncompressed multilayer OpenEXR file, as Blender writes it.

Blender loads such files without pixels for Python, and carries OpenImageIO only from 4.5 on. The layout is that of
"OpenEXR File Layout" (openexr.com): attributes, offset tables, then scan lines with the channels one after another.
Only what `compat.choose_multilayer` makes is read: full floats, no compression, one part or one part a layer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import numpy as np

_MAGIC = 20000630
_MULTI_PART = 0x1000
_FULL_FLOAT = 2
_NO_COMPRESSION = 0


@dataclass
class _Part:
    """One part of a file: its full floats' channel names in file order, its size and what its header says."""

    channels: list[str] = field(default_factory=list)
    width: int = 0
    height: int = 0
    top: int = 0
    plain: bool = True


def read_layer(data: bytes, name: str) -> np.ndarray | None:
    """The colours of one layer.

    Args:
        data: the whole file.
        name: the layer with its pass, such as "ViewLayer.Combined".

    Returns:
        (H, W, 4) float32, row 0 on top; None when the file has no such layer or is not of the kind that is read.
    """
    magic, version = struct.unpack_from("<II", data)
    if magic != _MAGIC:
        return None
    multi_part = bool(version & _MULTI_PART)
    parts, position = _read_headers(data, 8, multi_part)
    wanted = [f"{name}.{channel}" for channel in "RGBA"]
    number = next((index for index, part in enumerate(parts) if set(wanted) <= set(part.channels)), None)
    if number is None or not parts[number].plain:
        return None
    part = parts[number]
    # One offset a line and part; the wanted part's table follows those of the parts before it.
    position += 8 * sum(earlier.height for earlier in parts[:number])
    offsets = struct.unpack_from(f"<{part.height}Q", data, position)
    rows = [part.channels.index(channel) for channel in wanted]
    pixels = np.empty((part.height, part.width, 4), np.float32)
    for offset in offsets:
        start = offset + (4 if multi_part else 0)
        line, _ = struct.unpack_from("<ii", data, start)
        values = np.frombuffer(data, "<f4", len(part.channels) * part.width, start + 8)
        pixels[line - part.top] = values.reshape(len(part.channels), part.width)[rows].T
    return pixels


def _read_headers(data: bytes, position: int, multi_part: bool) -> tuple[list[_Part], int]:
    """Every part's header, and where the offset tables begin."""
    parts = []
    while True:
        part, position = _read_header(data, position)
        parts.append(part)
        if not multi_part:
            return parts, position
        if data[position] == 0:  # an empty header ends the list
            return parts, position + 1


def _read_header(data: bytes, position: int) -> tuple[_Part, int]:
    part = _Part()
    while data[position] != 0:
        name, position = _read_text(data, position)
        _, position = _read_text(data, position)
        (size,) = struct.unpack_from("<i", data, position)
        value = data[position + 4 : position + 4 + size]
        position += 4 + size
        if name == "channels":
            _read_channels(value, part)
        elif name == "dataWindow":
            left, part.top, right, bottom = struct.unpack("<4i", value)
            part.width, part.height = right - left + 1, bottom - part.top + 1
        elif name == "compression":
            part.plain &= value[0] == _NO_COMPRESSION
    return part, position + 1


def _read_channels(value: bytes, part: _Part) -> None:
    position = 0
    while value[position] != 0:
        name, position = _read_text(value, position)
        (kind,) = struct.unpack_from("<i", value, position)
        part.plain &= kind == _FULL_FLOAT
        part.channels.append(name)
        position += 16  # kind, linearity, two samplings


def _read_text(data: bytes, position: int) -> tuple[str, int]:
    end = data.index(b"\0", position)
    return data[position:end].decode("utf-8", "replace"), end + 1
