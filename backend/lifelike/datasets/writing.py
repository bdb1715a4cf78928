# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a data set so that whoever reads it in the middle, or after the writer was killed, finds a whole one.

Pictures and the card appear whole or not at all; ``dataset.jsonl`` grows by whole lines, each after its picture.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import evolve
from filelock import FileLock, Timeout
from PIL import Image

from lifelike.datasets.card import CARD, DataSetCard, card_text, read_card
from lifelike.datasets.indexes import OWN
from lifelike.datasets.record import Record, to_line
from lifelike.whole_files import write_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array

LOCK = ".lock"


@contextmanager
def writing_to(folder: Path, card: DataSetCard) -> Iterator[bool]:
    """Takes a folder for one data set, alone; gives whether that data set was begun there before.

    Raises:
        LifelikeError: INVALID_FILE where the folder holds anything else, cannot be written, or another process
            writes to it; INVALID_SETTING where the data set there was begun with other settings.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"Another process is writing to {folder}.", "Wait for it, or choose another -o."
        ) from error
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        yield _begun(folder, card)
    finally:
        lock.release()


def _begun(folder: Path, card: DataSetCard) -> bool:
    if (folder / CARD).exists():
        differing = card.continues(read_card(folder))
        if differing:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"{folder} already holds another data set (it differs in {', '.join(differing)}).",
                "Choose another -o, or the same settings to continue it.",
            )
        return True
    strangers = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    if strangers:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{folder} already holds files that are no data set begun by this command, such as {strangers[0]}.",
            "Choose an empty folder with -o.",
        )
    replace_text(folder / CARD, card_text(card))
    return False


def store_picture(folder: Path, record: Record, pixels: Array) -> Record:
    """Writes a picture (H, W, 3) uint8 as the PNG ``record.file``; the record with its sha256.

    Raises:
        LifelikeError: INVALID_FILE where it cannot be written; nothing that was there is lost.
    """
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format="PNG", compress_level=4)
    replace_bytes(folder / record.file, encoded.getvalue())
    return evolve(record, sha256=hashlib.sha256(encoded.getvalue()).hexdigest())


def append_record(folder: Path, record: Record) -> None:
    """Adds a line to ``dataset.jsonl``; its picture must be there."""
    append_line(folder / OWN, to_line(record))


def write_records(folder: Path, records: Iterable[Record]) -> None:
    """Writes ``dataset.jsonl`` anew."""
    replace_text(folder / OWN, "".join(to_line(record) + "\n" for record in records))


def append_line(path: Path, line: str) -> None:
    """Adds a line and waits until it is on the disk; what a killed writer left of one is taken away first.

    Raises:
        LifelikeError: INVALID_FILE where it cannot be written; the file is as before.
    """
    try:
        with path.open("ab") as file:
            whole = _whole_length(path)
            file.truncate(whole)
            try:
                file.write(line.encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                os.truncate(path, whole)
                raise
    except OSError as error:
        raise _unwritable(path, error) from error


def _whole_length(path: Path) -> int:
    """Bytes up to the last line's end."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def replace_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all; errors as `append_line`."""
    replace_bytes(path, text.encode())


def replace_bytes(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all; errors as `append_line`."""
    try:
        write_whole(path, content)
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> LifelikeError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return LifelikeError(
        ErrorCode.INVALID_FILE,
        f"{path} could not be written: {os.strerror(error.errno) if error.errno else error}.",
        "Free some space and run the same command again; what is done is kept." if full else "Choose another -o.",
    )
