# SPDX-License-Identifier: GPL-3.0-or-later
"""The bytes of a file in order, of which never more are asked for than there are."""

from __future__ import annotations

from typing import BinaryIO

from lifelike.importing.refusal import Refused

LINE_LIMIT = 1 << 16
"""Bytes; only names and numbers stand in lines."""


class ByteSource:
    """A binary file for `pickletools`, which believes every length that a file states.

    Args:
        file: readable and seekable, at its beginning.
        size: of the whole file in bytes.

    Raises (all methods):
        Refused: the bytes end before what was asked for.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size
        self.position = 0  # kept here, since asking a file for it is a call of the operating system

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.position

    def require(self, count: int) -> None:
        """Make sure that `count` more bytes are there, before memory is taken for them."""
        if not 0 <= count <= self.size - self.position:
            raise Refused("it ends before its contents do")

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        self.require(count)
        return self._advanced(self.file.read(count), count)

    def readline(self) -> bytes:
        """One line with its end."""
        line = self.file.readline(LINE_LIMIT)
        if not line.endswith(b"\n"):
            raise Refused("a line in it has no end")
        return self._advanced(line, len(line))

    def skip(self, count: int) -> None:
        """Go on by `count` bytes."""
        self.require(count)
        self.position = self.file.seek(self.position + count)

    def _advanced(self, data: bytes, count: int) -> bytes:
        if len(data) != count:
            raise Refused("it ends before its contents do")
        self.position += count
        return data
