# SPDX-License-Identifier: GPL-3.0-or-later
"""Tensors as a file describes them: checked against the bytes that are there, and read only when they are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import BinaryIO

import torch
from attrs import define, evolve, frozen
from torch import Tensor

from lifelike.importing.refusal import Refused

AXES_LIMIT = 8


@define(eq=False)
class Storage:
    """A run of equal elements, of which tensors are views.

    count: elements that the file says there are.
    read: gives its bytes; None until the place in the file is known.
    """

    dtype: torch.dtype
    count: int
    read: Callable[[], bytearray] | None = None

    @property
    def size(self) -> int:
        """In bytes."""
        return self.count * self.dtype.itemsize


def bytes_at(file: BinaryIO, start: int, count: int, size: int) -> Callable[[], bytearray]:
    """What reads `count` bytes from `start` of a file of `size` bytes."""

    def read() -> bytearray:
        if count > size - start:
            raise Refused("it ends before its contents do")
        file.seek(start)
        data = bytearray(count)
        if file.readinto(data) != count:  # type: ignore[attr-defined]
            raise Refused("it ends before its contents do")
        return data

    return read


@frozen(eq=False)
class Stored:
    """A tensor in a file.

    shape: its sides.
    size: bytes it takes in the file.
    read: gives it, of the file's own type.
    """

    shape: tuple[int, ...]
    size: int
    read: Callable[[], Tensor]

    def reshaped(self, *shape: int) -> Stored:
        """The same elements in another shape.

        Raises:
            Refused: it has more or fewer elements.
        """
        if math.prod(shape) != math.prod(self.shape):
            raise Refused(f"a tensor in it has the shape {self.shape}, which cannot be taken as {shape}")
        return evolve(self, shape=shape, read=lambda: self.read().reshape(shape))

    def permuted(self, *axes: int) -> Stored:
        """With the axes in another order.

        Raises:
            Refused: it has other axes.
        """
        if sorted(axes) != list(range(len(self.shape))):
            raise Refused(
                f"a tensor in it has {len(self.shape)} axes, which cannot be put in the order {axes[:AXES_LIMIT]}"
            )
        return evolve(self, shape=tuple(self.shape[axis] for axis in axes), read=lambda: self.read().permute(axes))

    def changed(self, change: Callable[[Tensor], Tensor]) -> Stored:
        """With its values changed, its shape kept."""
        return evolve(self, read=lambda: change(self.read()))


def view_of(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> Stored:
    """A tensor that lies in `storage`.

    Args:
        offset, strides: in elements, as torch's.

    Raises:
        Refused: it reaches beyond the storage, or repeats elements, which would make much memory of few bytes.
    """
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or len(shape) > AXES_LIMIT or any(type(n) is not int or n < 0 for n in numbers):
        raise Refused("it is damaged: it describes a tensor that cannot be")
    elements = math.prod(shape)
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if elements and (last >= storage.count or elements > storage.count):
        raise Refused("it is damaged: one of its tensors is larger than the bytes there are for it")

    def read() -> Tensor:
        if not elements:
            return torch.zeros(shape, dtype=storage.dtype)
        if storage.read is None:
            raise Refused("it is damaged: one of its tensors has no values")
        return torch.frombuffer(storage.read(), dtype=storage.dtype).as_strided(shape, strides, offset)

    return Stored(shape, elements * storage.dtype.itemsize, read)
