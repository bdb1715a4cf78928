# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a data set's files lie: in a folder, or in a zip that is read member by member and never extracted."""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
import zlib
from abc import ABC, abstractmethod
from pathlib import Path, PurePosixPath

from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.record import check_name
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

PICTURE_SUFFIXES = frozenset(
    (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".exr", ".hdr", ".ppm", ".pgm", ".tga", ".jp2")
)
MAX_FILE = 512 * 2**20
"""Bytes of one picture, unpacked: more than any 16-bit 8K picture needs. A zip may claim any size."""
MAX_INDEX = 1024 * 2**20
"""Bytes of an index: some ten million lines."""


class Storage(ABC):
    """A data set's files by name."""

    place: Path

    @abstractmethod
    def names(self) -> list[str]:
        """Every file, sorted; hidden ones are left out."""

    @abstractmethod
    def content(self, name: str, limit: int = MAX_FILE) -> bytes:
        """A file's bytes.

        Raises:
            LifelikeError: INVALID_FILE, naming the file; also where it is longer than `limit`.
        """

    @abstractmethod
    def mark(self, name: str) -> str:
        """A short text that changes when the file's content does; "" where there is no such file."""

    @abstractmethod
    def pixels(self, name: str) -> Array:
        """A picture, (H, W, 3) uint8 sRGB.

        Raises:
            LifelikeError: INVALID_FILE, naming the file.
        """

    def pictures(self) -> list[str]:
        """Names that look like pictures', sorted."""
        return [name for name in self.names() if PurePosixPath(name).suffix.lower() in PICTURE_SUFFIXES]

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return bool(self.mark(name))

    def sha256(self, name: str) -> str:
        """Of a file's content, 64 hexadecimal digits."""
        return hashlib.sha256(self.content(name)).hexdigest()

    def _unreadable(self, name: str, reason: str) -> LifelikeError:
        return LifelikeError(
            ErrorCode.INVALID_FILE, f"{self.place / name} {reason}.", "Copy the data set again from its origin."
        )


class FolderStorage(Storage):
    """Files below a folder; links to folders are not followed."""

    def __init__(self, folder: Path) -> None:
        self.place = folder

    def names(self) -> list[str]:
        found = []
        for place, folders, files in os.walk(self.place):
            folders[:] = [name for name in folders if not name.startswith(".")]
            below = Path(place).relative_to(self.place)
            found += [(below / name).as_posix() for name in files if not name.startswith(".")]
        return sorted(found)

    def content(self, name: str, limit: int = MAX_FILE) -> bytes:
        path = self.place / name
        try:
            if path.stat().st_size > limit:
                raise self._unreadable(name, f"is larger than {limit // 2**20} MiB")
            return path.read_bytes()
        except OSError as error:
            raise self._unreadable(name, f"cannot be read ({error.strerror or error})") from error

    def mark(self, name: str) -> str:
        try:
            status = (self.place / name).stat()
        except OSError:
            return ""
        return f"{status.st_size} {status.st_mtime_ns}"

    def pixels(self, name: str) -> Array:
        return read_rgb(self.place / name)


class ZipStorage(Storage):
    """Members of a zip file.

    Raises:
        LifelikeError: INVALID_FILE when the file is no zip.
    """

    def __init__(self, file: Path) -> None:
        self.place = file
        self._opened: tuple[int, zipfile.ZipFile] | None = None
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in self._zip().infolist():
            if not member.is_dir() and not _is_hidden(PurePosixPath(member.filename)):
                self._members[member.filename] = member

    def names(self) -> list[str]:
        return sorted(self._members)

    def content(self, name: str, limit: int = MAX_FILE) -> bytes:
        member = self._members.get(name)
        if member is None:
            raise self._unreadable(name, "is missing")
        if member.file_size > limit:
            raise self._unreadable(name, f"would unpack to more than {limit // 2**20} MiB")
        if member.flag_bits & 1:
            raise self._unreadable(name, "is encrypted")
        try:
            return self._zip().read(member)
        except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError) as error:
            raise self._unreadable(name, f"is damaged ({error})") from error

    def mark(self, name: str) -> str:
        member = self._members.get(name)
        return f"{member.file_size} {member.CRC}" if member else ""

    def pixels(self, name: str) -> Array:
        # A file of our own name: whatever the member is called, nothing else is ever written.
        try:
            check_name(name)
            content = self.content(name)
            with tempfile.TemporaryDirectory(prefix="lifelike-") as folder:
                copy = Path(folder) / f"picture{PurePosixPath(name).suffix.lower()}"
                copy.write_bytes(content)
                return read_rgb(copy)
        except ValueError as error:
            raise self._unreadable(name, str(error)) from error
        except LifelikeError as error:
            reason = error.what.partition("picture" + PurePosixPath(name).suffix.lower())[2].strip(" .")
            raise self._unreadable(name, reason) if reason else error from error

    def _zip(self) -> zipfile.ZipFile:
        """The open file; each process opens its own, for a position in a file cannot be shared."""
        if self._opened is None or self._opened[0] != os.getpid():
            try:
                self._opened = os.getpid(), zipfile.ZipFile(self.place)
            except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
                raise LifelikeError(
                    ErrorCode.INVALID_FILE,
                    f"{self.place} cannot be read as a zip file ({error}).",
                    "Give a folder of pictures, or a zip as stylegan2-ada-pytorch writes it.",
                ) from error
        return self._opened[1]


def _is_hidden(name: PurePosixPath) -> bool:
    """Whether it is a file that no person put there; what macOS adds to a zip is."""
    return any(part == "__MACOSX" or (part.startswith(".") and part != "..") for part in name.parts)


def storage_of(path: Path) -> Storage:
    """The files of a folder or a zip.

    Raises:
        LifelikeError: INVALID_FILE where there is neither.
    """
    if path.is_dir():
        return FolderStorage(path)
    if path.is_file():
        return ZipStorage(path)
    raise LifelikeError(
        ErrorCode.INVALID_FILE, f"There is no data set {path}.", "Name a folder of pictures or a zip that exists."
    )
