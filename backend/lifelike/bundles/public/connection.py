# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTP request for a file or the rest of one: never unencrypted, never to anything but HTTPS.

The standard library does it: no kept library that resumes was found that isn't made for one host. Proxies are those of
the environment (`https_proxy`, `no_proxy`).
"""

from __future__ import annotations

import http.client
import ipaddress
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import IO, Any
from urllib.parse import urlsplit

from lifelike_protocol.errors import ErrorCode, LifelikeError

AGENT = "lifelike"
REDIRECTS = 5
"""In a row; file hosts use one or two."""
GONE = "it is not there any more"


def is_loopback(address: str) -> bool:
    """Whether an address stays on this machine."""
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_allowed(address: str) -> bool:
    """HTTPS to anywhere; HTTP only to this machine, where nobody can listen in."""
    scheme = urlsplit(address).scheme
    return scheme == "https" or (scheme == "http" and is_loopback(address))


class _Redirects(urllib.request.HTTPRedirectHandler):
    max_redirections = REDIRECTS

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        # A page on the internet must not send us to a server of this machine.
        inwards = is_loopback(newurl) and not is_loopback(req.full_url)
        if not is_allowed(newurl) or inwards:
            raise LifelikeError(
                ErrorCode.INVALID_FILE,
                f"{urlsplit(req.full_url).hostname} sends on to {newurl:.200}, which is unencrypted or this machine.",
                "Fetch the file with a browser instead.",
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def open_address(address: str, headers: Mapping[str, str], timeout: float) -> http.client.HTTPResponse:
    """Ask for a file.

    Args:
        address: of the file.
        headers: besides the usual.
        timeout: seconds, for connecting and for every read.

    Returns:
        The answer, its body unread: status 200 or 206.

    Raises:
        LifelikeError: INVALID_FILE for an address or a redirect that is not HTTPS.
        urllib.error.HTTPError: another status. OSError, http.client.HTTPException: no answer.
    """
    if not is_allowed(address):
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{address:.200} is not an HTTPS address.",
            "Files are only fetched over encrypted connections.",
        )
    # Not compressed on the way: ranges and sizes are those of the file.
    request = urllib.request.Request(address, headers={"User-Agent": AGENT, "Accept-Encoding": "identity", **headers})
    handlers: list[urllib.request.BaseHandler] = [_Redirects()]
    if is_loopback(address):
        handlers.append(urllib.request.ProxyHandler({}))
    try:
        answer: http.client.HTTPResponse = urllib.request.build_opener(*handlers).open(request, timeout=timeout)
    except ValueError as error:  # of the library, for the address of a redirect that is none
        raise http.client.InvalidURL(f"it sends on to no address: {error}") from error
    return answer


def explain_connection(error: Exception, address: str) -> str:
    """Why no file came from `address`, as the middle of a sentence."""
    host = urlsplit(address).hostname
    if isinstance(error, urllib.error.HTTPError):
        status = http.client.responses.get(error.code, "an answer of its own").lower()
        return f"{host} answers “{error.code}, {GONE if error.code in (404, 410) else status}”"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, ssl.SSLError):
        return f"the connection to {host} cannot be trusted ({getattr(reason, 'verify_message', '') or reason.reason})"
    if isinstance(reason, TimeoutError):
        return f"{host} does not answer"
    return f"there is no connection to {host} ({getattr(reason, 'strerror', None) or reason})"
