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
        file: readable and seekable; read from where it stands.
        size: of the whole file in bytes.

    Raises (all methods):
        Refused: the bytes end before what was asked for.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.file, self.size = file, size

    def tell(self) -> int:
        """Where the next byte is read."""
        return self.file.tell()

    def require(self, count: int) -> None:
        """Make sure that `count` more bytes are there, before memory is taken for them."""
        if not 0 <= count <= self.size - self.tell():
            raise Refused("it ends before its contents do")

    def read(self, count: int) -> bytes:
        """Exactly `count` bytes."""
        self.require(count)
        data = self.file.read(count)
        if len(data) != count:
            raise Refused("it ends before its contents do")
        return data

    def readline(self) -> bytes:
        """One line with its end."""
        line = self.file.readline(LINE_LIMIT)
        if not line.endswith(b"\n"):
            raise Refused("a line in it has no end")
        return line

    def skip(self, count: int) -> None:
        """Go on by `count` bytes."""
        self.require(count)
        self.file.seek(count, 1)
