# SPDX-License-Identifier: GPL-3.0-or-later
"""A real HTTP server on loopback that publishes files, well or badly: each request can be given its own manner."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from attrs import evolve

from lifelike.bundles.public.catalogue import STYLEGAN2
from lifelike.bundles.public.entry import PublicFile

CONTENT = np.random.default_rng(11).bytes(700_000)

Manner = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request, answered in the manner that is next in the queue."""

    server: Publisher
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.seen.append(dict(self.headers))
        self.close_connection = True
        manners = self.server.manners
        (manners.pop(0) if manners else well)(self)

    @property
    def content(self) -> bytes:
        """What is at the address that was asked for."""
        return self.server.others.get(self.path, self.server.content)

    def begin(self, status: int, length: int | None, **headers: str) -> None:
        """Status and headers; those of the file unless said otherwise."""
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        defaults = {"Content_Type": "application/octet-stream", "ETag": self.server.etag}
        for name, value in {**defaults, **headers}.items():
            if value:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the tests' output."""


class Publisher(ThreadingHTTPServer):
    """A server of one file at every address, and of others at their own.

    Attributes: content, etag: the file's. others: path → content. manners: of the next requests. seen: the headers of
    those that came.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.content, self.etag = CONTENT, '"first"'
        self.others: dict[str, bytes] = {}
        self.manners: list[Manner] = []
        self.seen: list[dict[str, str]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.bin"

    @property
    def ranges(self) -> list[str | None]:
        """What each request asked for: the `Range` header."""
        return [headers.get("Range") for headers in self.seen]

    def file(self, **changes: object) -> PublicFile:
        """The entry of the file that is published here, well described."""
        content = CONTENT
        described = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "hash_note": "by its maker"}
        known = {"name": "weights", "file_name": "weights.bin", "address": self.address, **described}
        return evolve(STYLEGAN2, **{**known, **changes})


@contextmanager
def published() -> Iterator[Publisher]:
    publisher = Publisher()
    thread = threading.Thread(target=publisher.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield publisher
    publisher.shutdown()
    publisher.server_close()
    thread.join()


def well(request: Request) -> None:
    """As RFC 9110 wants it, with `Range` and `If-Range`."""
    content = request.content
    wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
    current = request.headers.get("If-Range", request.server.etag) == request.server.etag
    if wanted and current and int(wanted[1]) >= len(content):
        request.begin(416, 0, Content_Range=f"bytes */{len(content)}")
    elif wanted and current:
        start = int(wanted[1])
        request.begin(206, len(content) - start, Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.wfile.write(content[start:])
    else:
        whole(request)


def whole(request: Request) -> None:
    """All of it, whatever was asked for."""
    request.begin(200, len(request.content))
    request.wfile.write(request.content)


def breaking_off(after: int) -> Manner:
    """The connection ends after so many bytes of the whole file; ranges are understood."""

    def answer(request: Request) -> None:
        content = request.content
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        ranged = {"Content_Range": f"bytes {start}-{len(content) - 1}/{len(content)}"} if wanted else {}
        request.begin(206 if wanted else 200, len(content) - start, **ranged)
        request.wfile.write(content[start:after])

    return answer


def announcing(length: int | None) -> Manner:
    """Says that it has `length` bytes, and sends the file."""

    def answer(request: Request) -> None:
        request.begin(200, length)
        request.wfile.write(request.content)

    return answer


def in_chunks(repeated: int = 1) -> Manner:
    """Without a length, in chunks; the file several times over."""

    def answer(request: Request) -> None:
        request.begin(200, None, Transfer_Encoding="chunked")
        for _ in range(repeated):
            request.wfile.write(f"{len(request.content):x}\r\n".encode() + request.content + b"\r\n")
        request.wfile.write(b"0\r\n\r\n")

    return answer


def another_part(request: Request) -> None:
    """206, but from the start."""
    content = request.content
    request.begin(206, len(content), Content_Range=f"bytes 0-{len(content) - 1}/{len(content)}")
    request.wfile.write(content)


def saying(status: int, **headers: str) -> Manner:
    """A status and no file."""
    return lambda request: request.begin(status, 0, **headers)


def login_page(request: Request) -> None:
    """What a hotel's network answers instead."""
    page = b"<html>Please log in.</html>"
    request.begin(200, len(page), Content_Type="text/html; charset=utf-8")
    request.wfile.write(page)


def silent(request: Request) -> None:
    """Says nothing until the client is gone."""
    request.connection.settimeout(20)
    request.connection.recv(1)


def stalling(after: int) -> Manner:
    """Sends so many bytes and then nothing, until the client is gone."""

    def answer(request: Request) -> None:
        request.begin(200, len(request.content))
        request.wfile.write(request.content[:after])
        silent(request)

    return answer
