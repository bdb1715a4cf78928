# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG files in memory (ISO/IEC 15948), 8 and 16 bits a channel.

Blender's own writer needs a scene and goes through its colour management; here the very values are wanted.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPE = {1: 0, 3: 2, 4: 6}


def png(pixels: np.ndarray) -> bytes:
    """A PNG file.

    Args:
        pixels: (H, W, C) uint8 or uint16, row 0 on top, C 1, 3 or 4 (straight alpha).
    """
    height, width, channels = pixels.shape
    big_endian = np.ascontiguousarray(pixels.astype(pixels.dtype.newbyteorder(">"), copy=False))
    # Each row starts with its filter: 0, none.
    rows = np.zeros((height, 1 + width * channels * pixels.itemsize), np.uint8)
    rows[:, 1:] = big_endian.view(np.uint8).reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, _COLOUR_TYPE[channels], 0, 0, 0)
    # Level 1: pictures of 16 bits hardly shrink further, and the person waits.
    body = zlib.compress(rows, 1)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))
