# SPDX-License-Identifier: GPL-3.0-or-later
"""What kind of file it is, told by its contents and never by its name, and the networks in it."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from attrs import evolve

from lifelike.hashing import file_sha256
from lifelike.importing import arcface, e4e, nvidia_tensorflow, nvidia_torch, own, rosinality
from lifelike.importing.collecting import tensors_in
from lifelike.importing.found import Contents, Found
from lifelike.importing.refusal import TAKEN, Refused, printable
from lifelike.importing.safetensors_file import is_safetensors, read_safetensors
from lifelike.importing.torch_file import read_pickle, read_zip
from lifelike_protocol.errors import ErrorCode, LifelikeError

SIZE_LIMIT = 4 << 30
"""Bytes; the largest published file has 1.2 GB."""
LAYOUTS = (own.read, nvidia_torch.read, nvidia_tensorflow.read, e4e.read, arcface.read, rosinality.read)
BEGINNING = 512
PICKLE, HIGHEST_PROTOCOL = 0x80, 5
PACKED = {b"\x1f\x8b": "gzip", b"7z\xbc\xaf": "7-Zip", b"Rar!": "RAR", b"\xfd7zXZ": "xz", b"BZh": "bzip2"}


def read_foreign(file: Path) -> Found:
    """Read the networks in a file. Nothing in it is executed or imported; sizes are compared with the file's bytes
    before memory is taken.

    Args:
        file: NVIDIA's pickles (PyTorch, TensorFlow), rosinality's, e4e's and ArcFace's checkpoints, safetensors with
            such names, or files of this project's own; its name does not matter.

    Raises:
        LifelikeError: INVALID_FILE, in one sentence, for anything else, and for damaged, incomplete or oversized files.
    """
    try:
        if not file.is_file():
            raise Refused("there is no such file", "Give the path of a file of weights.")
        with file.open("rb") as opened:
            found = _recognised(_contents(file, opened))
        return evolve(found, sha256=file_sha256(file))
    except Refused as refusal:
        what = f"The file {file.name} cannot be imported: {refusal.why}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, refusal.remedy) from refusal
    except OSError as error:
        what = f"The file {file.name} cannot be read ({error.strerror or error})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Check the disk, and that you may read it.") from error
    except MemoryError as error:
        what = f"There is not enough memory to import {file.name}."
        raise LifelikeError(ErrorCode.OUT_OF_MEMORY, what, "Close other programs and try again.") from error


def _contents(file: Path, opened: BinaryIO) -> Contents:
    """What the container holds; the container is told by its first bytes."""
    size = opened.seek(0, 2)
    opened.seek(0)
    if size > SIZE_LIMIT:
        raise Refused(f"it is larger than {SIZE_LIMIT >> 30} GiB, and no known weights are", TAKEN)
    beginning = opened.read(BEGINNING)
    opened.seek(0)
    _refuse_known_strangers(beginning)
    if beginning.startswith(b"PK\x03\x04"):
        return Contents(read_zip(opened, size), size)
    if len(beginning) > 1 and beginning[0] == PICKLE and beginning[1] <= HIGHEST_PROTOCOL:
        return Contents(read_pickle(opened, size), size)
    if is_safetensors(beginning):
        return read_safetensors(file, size)
    raise Refused("it is no kind of weights known here", TAKEN)


def _refuse_known_strangers(beginning: bytes) -> None:
    """Say more of files that are often taken for weights."""
    if not beginning:
        raise Refused("it is empty")
    if beginning.lstrip(b"\xef\xbb\xbf \r\n\t").lower().startswith((b"<!doctype html", b"<html")):
        raise Refused("it is a web page, which some sites send in place of a large file")
    if beginning.startswith(b"version https://git-lfs"):
        raise Refused("it is a pointer of Git LFS, not the file itself", "Fetch the file itself: git lfs pull")
    for mark, name in PACKED.items():
        if beginning.startswith(mark):
            raise Refused(f"it is packed ({name})", "Unpack it first.")
    if beginning[257:262] == b"ustar":
        raise Refused("it is packed (tar)", "Unpack it first.")


def _recognised(contents: Contents) -> Found:
    for read in LAYOUTS:
        found = read(contents)
        if found is not None:
            return found
    names = list(tensors_in(contents.value))
    why = f"it holds weights of a network not known here, with tensors such as {printable(names[0])}" if names else ""
    raise Refused(why or "it holds none of the networks known here", TAKEN)
