# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetches one published file: whole, checked, and going on where an earlier try was broken off."""

from __future__ import annotations

import http.client
import ssl
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from attrs import frozen
from filelock import FileLock, Timeout

from lifelike.bundles.public.connection import explain_connection
from lifelike.bundles.public.entry import PublicFile
from lifelike.bundles.public.partial import Partial
from lifelike.bundles.public.receiving import Interrupted, Report, by_hand, receive
from lifelike.bundles.public.space import check_space
from lifelike.bundles.public.verification import difference
from lifelike_protocol.errors import ErrorCode, LifelikeError

BUSY = (408, 429, 500, 502, 503, 504)
"""Answers of a server that may do better in a moment (RFC 9110, 15)."""


BROKEN = (
    Interrupted,
    urllib.error.URLError,
    http.client.HTTPException,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
"""What connections end with, unlike what disks do."""


@frozen
class Patience:
    """How long to try.

    timeout: seconds without a byte. attempts: connections in a row that bring nothing new. pause: seconds before the
    second of them, doubled with each more.
    """

    timeout: float = 30.0
    attempts: int = 5
    pause: float = 1.0


def download(
    file: PublicFile, folder: Path, report: Report = lambda here, total: None, patience: Patience | None = None
) -> Path:
    """Fetch a file into a folder, unless it is there; what an earlier try left there is used.

    Args:
        report: told of every piece; what it raises ends the download. The part is kept then, as it is when the process
            is killed.
        patience: by default `Patience()`.

    Returns:
        The file's path, `folder / file.file_name`.

    Raises:
        LifelikeError: INVALID_FILE, when it cannot be had, or is not the published one: then it is deleted. A file of
            that name which was there before is never changed.
    """
    target = folder / file.file_name
    if target.exists():
        check_own(target, file)
        return target
    if not file.address:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{file.file_name} can be fetched with a browser only.",
            by_hand(file, target),
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            if target.exists():  # the process that fetched it has only just ended
                return target
            partial = Partial(target)
            check_space(folder, max(file.size - partial.size, 0))
            _fetch(file, partial, report, patience or Patience())
            partial.finish()
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{target} cannot be written ({error.strerror or error}); what has come so far is kept.",
            "Free some space or choose another folder, and run this again.",
        ) from error
    return target


def check_own(path: Path, file: PublicFile) -> None:
    """Refuse a file that was saved by hand and is not the published one.

    Raises:
        LifelikeError: INVALID_FILE, saying how it differs.
    """
    wrong = difference(path, file)
    if wrong:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{path} is not the published {file.file_name}: {wrong} ({file.hash_note}).",
            "Move it away to have it fetched; or, if you know it is good, use `lifelike bundles import`.",
        )


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Keeps other processes from fetching the same file into the same folder."""
    lock = FileLock(target.with_name(f".{target.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"{target.name} is being fetched by another process.", "Wait for that one to end."
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):  # Windows deletes no open file; then it stays, empty
            Path(lock.lock_file).unlink()
        lock.release()


def _fetch(file: PublicFile, partial: Partial, report: Report, patience: Patience) -> None:
    """Until the partial file is the published one."""
    for last in (False, True):
        pieced = _receive_all(file, partial, report, patience)
        wrong = difference(partial.path, file)
        if not wrong:
            return
        partial.discard()
        # Several connections may have met several versions of the file: once more, from the start.
        if last or not pieced:
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                f"What came is not the published {file.file_name}, and was deleted: {wrong} ({file.hash_note}).",
                f"Try again later. {by_hand(file, partial.target)}",
            )


def _receive_all(file: PublicFile, partial: Partial, report: Report, patience: Patience) -> bool:
    """Connection after connection, until all bytes are here; whether it took several, or an earlier try began it."""
    furthest = partial.size
    pieced = furthest > 0
    if pieced and furthest == file.size:
        return True
    fruitless, answered = 0, False
    while True:
        try:
            receive(file, partial, patience.timeout, report)
            return pieced
        except BROKEN as error:
            answered = answered or isinstance(error, Interrupted) or partial.size > furthest
            fruitless = 0 if partial.size > furthest else fruitless + 1
            furthest = max(furthest, partial.size)
            pieced = pieced or partial.size > 0
            if fruitless >= patience.attempts or not (answered or _may_pass(error)):
                raise _unreachable(file, partial, error) from error
            time.sleep(patience.pause * 2 ** max(fruitless - 1, 0))


def _may_pass(error: Exception) -> bool:
    """Whether the first contact's failure is worth another try; without a network nobody should wait for five."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in BUSY
    return isinstance(error, (http.client.HTTPException, ConnectionResetError, TimeoutError))


def _unreachable(file: PublicFile, partial: Partial, error: Exception) -> LifelikeError:
    why = str(error) if isinstance(error, Interrupted) else explain_connection(error, file.address)
    kept = f" What has come so far ({partial.size:,} bytes) is kept; run this again to go on." if partial.size else ""
    return LifelikeError(
        ErrorCode.INVALID_FILE, f"{file.file_name} could not be fetched: {why}.{kept}", by_hand(file, partial.target)
    )
