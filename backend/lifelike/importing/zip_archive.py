# SPDX-License-Identifier: GPL-3.0-or-later
"""Zip archives as torch writes them: nothing compressed, so that no entry is larger than the file."""

from __future__ import annotations

import struct
import zipfile
from typing import BinaryIO

from lifelike.importing.refusal import Refused

READ_LIMIT = 16 << 20
"""Bytes at once; `zipfile` reads the list of entries in one piece, of whatever length the file states."""
CHUNK = 1 << 20
# What zipfile raises for damaged archives: struct.error and the others come from fields that contradict one another.
DAMAGE = (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error, OverflowError, EOFError, RuntimeError)


class ShortReads:
    """A binary file that `zipfile` may read in pieces of `READ_LIMIT` only."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, count: int = -1) -> bytes:
        """As a file's; Refused when too much is wanted."""
        if count > READ_LIMIT:
            raise Refused("its archive is damaged, or holds far more parts than weights have")
        return self._read(READ_LIMIT if count < 0 else count)


class ZipArchive:
    """The entries of an archive by name.

    Args:
        file: readable and seekable.
        size: its bytes.

    Raises:
        Refused: it is damaged.
    """

    def __init__(self, file: BinaryIO, size: int) -> None:
        self.size = size
        try:
            self._archive = zipfile.ZipFile(ShortReads(file))
        except DAMAGE as error:
            raise Refused("its archive is damaged or ends too early") from error
        self.entries = {info.filename: info for info in self._archive.infolist()}

    def length(self, name: str) -> int:
        """Bytes of an entry; -1 where there is none of that name."""
        return self.entries[name].file_size if name in self.entries else -1

    def read(self, name: str, limit: int) -> bytearray:
        """The bytes of an entry, compared with their check sum.

        Raises:
            Refused: it is damaged, compressed, or longer than `limit`.
        """
        info = self.entries[name]
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > min(self.size, limit):
            raise Refused("its archive is packed in a way that weights are not")
        data, filled = bytearray(info.file_size), 0
        try:
            with self._archive.open(info) as opened:
                while part := opened.read(CHUNK):  # at the end the sum is compared
                    data[filled : filled + len(part)] = part
                    filled += len(part)
        except DAMAGE as error:
            raise Refused("its archive is damaged or ends too early") from error
        if filled != info.file_size:
            raise Refused("its archive is damaged or ends too early")
        return data
