# SPDX-License-Identifier: GPL-3.0-or-later
"""Safetensors files as containers, whoever wrote them."""

from __future__ import annotations

import math
import struct
from functools import partial
from pathlib import Path

from safetensors import SafetensorError, safe_open

from lifelike.importing.found import Contents
from lifelike.importing.refusal import Refused
from lifelike.importing.stored import Stored

HEADER_LIMIT = 16 << 20
"""Bytes of the list of tensors; the largest network read here has some 1500."""
ITEM_SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


def is_safetensors(beginning: bytes) -> bool:
    """Whether a file begins as one: the length of a header, and the header's brace."""
    return len(beginning) > 8 and beginning[8:9] == b"{"


def read_safetensors(file: Path, size: int) -> Contents:
    """Names, shapes and metadata; values are read when they are wanted.

    Raises:
        Refused: it is damaged.
    """
    with file.open("rb") as opened:
        (header,) = struct.unpack("<Q", opened.read(8))
    if header > min(HEADER_LIMIT, size):
        raise Refused("it ends before its contents do, or lists far more parts than weights have")
    try:
        tensors = safe_open(file, framework="pt")
        found = {}
        for name in tensors.keys():  # noqa: SIM118 (not a mapping)
            described = tensors.get_slice(name)
            shape, kind = tuple(described.get_shape()), described.get_dtype()
            if kind not in ITEM_SIZES:
                raise Refused(f"its numbers are of the kind {kind}, which is not read here")
            found[name] = Stored(shape, math.prod(shape) * ITEM_SIZES[kind], partial(tensors.get_tensor, name))
        return Contents(found, size, tensors.metadata() or {})
    except SafetensorError as error:
        raise Refused("it is damaged, or ends before its contents do") from error
