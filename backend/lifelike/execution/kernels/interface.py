# SPDX-License-Identifier: GPL-3.0-or-later
"""The functions of a compiled library of kernels, as ctypes sees them. Knows nothing of torch, so that a small process
can try a library out."""

from __future__ import annotations

import ctypes
from ctypes import c_int32, c_size_t, c_void_p
from enum import IntEnum
from pathlib import Path

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.[ch]pp")))


def _fields(of_int32: str, of_pointers: str) -> list[tuple[str, type]]:
    integers: list[tuple[str, type]] = [(name, c_int32) for name in of_int32.split()]
    return integers + [(name, c_void_p) for name in of_pointers.split()]


class Change(IntEnum):
    """What a convolution makes of a picture's size; `Change` of convolution.hpp."""

    SAME = 0
    DOUBLED = 1
    HALVED = 2


class Convolution(ctypes.Structure):
    """`Convolution` of convolution.hpp."""

    _fields_ = _fields(
        "inputs outputs height width change half tiles groups",
        "x weight scale shift gain bias slope noise added y z next",
    )


class ToRGB(ctypes.Structure):
    """`ToRGB` of to_rgb.cpp."""

    _fields_ = _fields("inputs height width half", "x weight bias image y next")


class Kernels:
    """A loaded library.

    Attributes:
        lanes: channels come in multiples of this many.
        half: whether it multiplies bf16.

    Raises:
        OSError: the file is no library for this machine.
        AttributeError: it is another library.
    """

    def __init__(self, file: Path) -> None:
        library = ctypes.CDLL(str(file))
        self.pack_weight = library.pack_weight
        self.pack_weight.argtypes = (c_void_p, c_int32, c_int32, c_int32, c_int32, c_void_p)
        self.packed_matrices = library.packed_matrices
        self.packed_matrices.argtypes = (c_int32,)
        self.scratch_bytes = library.scratch_bytes
        self.scratch_bytes.argtypes = (ctypes.POINTER(Convolution),)
        self.scratch_bytes.restype = c_size_t
        self.convolve = library.convolve
        self.convolve.argtypes = (ctypes.POINTER(Convolution), c_void_p)
        self.blur = library.blur
        self.blur.argtypes = (ctypes.POINTER(Convolution),)
        self.to_rgb = library.to_rgb
        self.to_rgb.argtypes = (ctypes.POINTER(ToRGB),)
        for function in (self.pack_weight, self.convolve, self.blur, self.to_rgb):
            function.restype = None
        self.lanes: int = library.vector_lanes()
        self.half = bool(library.multiplies_bfloat16())
