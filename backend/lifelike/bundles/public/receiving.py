# SPDX-License-Identifier: GPL-3.0-or-later
"""One connection's worth of a download: the whole file, or what is missing of it, as far as the connection holds."""

from __future__ import annotations

import http.client
import re
import urllib.error
from collections.abc import Callable
from pathlib import Path

from lifelike.bundles.public.connection import open_address
from lifelike.bundles.public.entry import PublicFile
from lifelike.bundles.public.partial import Origin, Partial
from lifelike.bundles.public.space import check_space
from lifelike_protocol.errors import ErrorCode, LifelikeError

Report = Callable[[int, int], None]
"""Called with the bytes here and the bytes of the whole file, 0 where that is unknown; may raise to end it."""

LARGEST = 4 << 30
"""Bytes; as large as a bundle may be, and more than any published file."""
PIECE = 1 << 18
"""Bytes written in one go at most."""


class Interrupted(Exception):
    """The connection ended before the file did, or cannot go on where it stopped; another may."""


def receive(file: PublicFile, partial: Partial, timeout: float, report: Report) -> None:
    """Fetch what is missing, appended to `partial`.

    Args:
        timeout: seconds, of connecting and of each read.

    Raises:
        Interrupted: to be tried again; the bytes so far are kept.
        LifelikeError: INVALID_FILE when the server offers something else, or the disk has no room.
        OSError, http.client.HTTPException: no connection, or a file that cannot be written.
    """
    begun = _resumable(file, partial)
    headers = {"Range": f"bytes={partial.size}-"} if begun else {}
    if begun and begun.validator:
        headers["If-Range"] = begun.validator
    try:
        answer = open_address(file.address, headers, timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.discard()
            raise Interrupted("the server has nothing behind what is here") from error
        raise
    with answer:
        total = _agree(file, partial, begun, answer)
        check_space(partial.path.parent, total - partial.size)
        _write(answer, partial, total, report)


def _resumable(file: PublicFile, partial: Partial) -> Origin | None:
    """Where to go on from, or None to begin anew: then the bytes so far are dropped."""
    origin = partial.origin
    size = partial.size
    # Without a validator the file may have changed on the server; only a known hash would tell.
    same = origin is not None and origin.address == file.address and bool(origin.validator or file.sha256)
    if same and 0 < size < (file.size or LARGEST):
        return origin
    partial.discard()
    return None


def _agree(file: PublicFile, partial: Partial, begun: Origin | None, answer: http.client.HTTPResponse) -> int:
    """Check that the answer can be the file, and ready `partial` for its body; the file's bytes, 0 if unknown."""
    _check_kind(file, partial, answer)
    if begun is not None and answer.status == http.client.PARTIAL_CONTENT:
        start, total = _content_range(answer)
        if start != partial.size or (begun.total and total and total != begun.total):
            partial.discard()
            raise Interrupted("the server sends another part than was asked for")
        total = total or begun.total
    else:
        total = answer.length or 0
    _check_size(file, partial, total)
    if begun is None or answer.status != http.client.PARTIAL_CONTENT:
        partial.begin(Origin(file.address, _validator(answer), total))
    return total or file.size


def _check_kind(file: PublicFile, partial: Partial, answer: http.client.HTTPResponse) -> None:
    if answer.headers.get_content_type() == "text/html":
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The server sends a web page instead of {file.file_name}: it wants to be asked by a browser, or your "
            "network wants you to log in.",
            by_hand(file, partial.target),
        )
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The server sends {file.file_name} compressed, unasked.",
            by_hand(file, partial.target),
        )


def _check_size(file: PublicFile, partial: Partial, total: int) -> None:
    if (total and file.size and total != file.size) or total > LARGEST:
        wanted = f"where {file.size:,} were published" if file.size else f"more than the {LARGEST:,} it may have"
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The server offers a {file.file_name} of {total:,} bytes, {wanted}; it was not fetched.",
            by_hand(file, partial.target),
        )


def _content_range(answer: http.client.HTTPResponse) -> tuple[int, int]:
    """Where the part starts and how long the whole is (0: unknown); −1, 0 for nonsense."""
    match = re.fullmatch(r"bytes (\d{1,18})-\d{1,18}/(\d{1,18}|\*)", answer.headers.get("Content-Range", ""))
    if match is None:
        return -1, 0
    return int(match[1]), 0 if match[2] == "*" else int(match[2])


def _validator(answer: http.client.HTTPResponse) -> str:
    etag = answer.headers.get("ETag", "")
    if etag and not etag.startswith("W/"):  # a weak one says nothing about bytes
        return str(etag)
    return str(answer.headers.get("Last-Modified", ""))


def _write(answer: http.client.HTTPResponse, partial: Partial, total: int, report: Report) -> None:
    size, limit = partial.size, total or LARGEST
    with partial.path.open("ab") as opened:
        report(size, total)
        while piece := answer.read1(PIECE):
            size += len(piece)
            if size > limit:
                break
            opened.write(piece)
            report(size, total)
    if size > limit:
        partial.discard()
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The server sends more than the {limit:,} bytes of the file; what came was deleted.",
            "Try again later, or fetch the file with a browser.",
        )
    if size < total or not size:  # http.client says nothing of it
        raise Interrupted(f"the connection ended after {size:,} of {total:,} bytes" if total else "the file is empty")


def by_hand(file: PublicFile, target: Path) -> str:
    """What to do when the file does not come by itself."""
    return (
        f"Fetch it with a browser from {file.page}, save it as {target} and run this again; "
        "or give `lifelike bundles import` the file you have."
    )
