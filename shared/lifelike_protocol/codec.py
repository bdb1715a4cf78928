# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to frames and back: one msgpack header, then each array's bytes, uncopied.

The header is the map `{"lifelike": version, "type": name, "body": fields}`; PROTOCOL.md has the details.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, cast

import msgpack
from cattrs import BaseValidationError, transform_error

from .arrays import ArrayReader, ArrayWriter
from .conversion import CONVERTERS
from .errors import ErrorCode, LifelikeError
from .messages import (
    CLIENT_MESSAGES,
    PROTOCOL_VERSION,
    SERVER_MESSAGES,
    SPOKEN_VERSIONS,
    Error,
    Hello,
    Message,
)
from .validation import Limits, validate

__all__ = ["Limits", "as_exception", "as_message", "decode", "encode", "job_of", "message_name", "negotiate_version"]

_READ_IN_ANY_VERSION = (Hello, Error)
"""Their layout never changes, so that two sides without a common version can still tell each other."""

_SPOKEN = " and ".join(map(str, SPOKEN_VERSIONS))

_REMEDY = "Make sure that the extension and the backend are of the same release of Lifelike."


def message_name(kind: type) -> str:
    """A message class's name on the wire: `StatusRequest` is "status_request"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_KINDS: dict[str, type] = {message_name(kind): kind for kind in (*CLIENT_MESSAGES, *SERVER_MESSAGES)}


def encode(message: Message, limits: Limits | None = None, version: int = PROTOCOL_VERSION) -> list[bytes | memoryview]:
    """The frames to send: the header, then one buffer per array.

    Arrays in C order are not copied, so they must not change until they are sent; others are made contiguous.

    Args:
        message: any message of `messages`.
        limits: what the message must keep to; by default `Limits()`.
        version: the protocol version to say it in, one of `SPOKEN_VERSIONS`; fields newer than that are left out.

    Raises:
        LifelikeError: as `validate` does; MALFORMED for a value that no message can carry;
            SIZE_LIMIT for a header beyond `limits.max_header`.
    """
    limits = limits or Limits()
    writer = ArrayWriter()
    try:
        body = CONVERTERS[version].unstructure(message)
        validate(message, limits)
        head = {"lifelike": version, "type": message_name(type(message)), "body": body}
        header = cast(bytes, msgpack.packb(head, default=writer))
    except (TypeError, ValueError, OverflowError, AttributeError) as cause:
        raise LifelikeError(
            ErrorCode.MALFORMED, f"A {type(message).__name__} message cannot be sent: {cause}.", _REMEDY
        ) from cause
    _check_header_size(len(header), limits)
    return [header, *writer.buffers]


def decode(parts: Sequence[Any], limits: Limits | None = None) -> Message:
    """The message in a list of frames; its arrays are read-only views of them.

    Args:
        parts: header and buffers: bytes, memoryviews or zmq Frames (without a ROUTER's identity frame).
        limits: what to accept; by default `Limits()`.

    Raises:
        LifelikeError: MALFORMED, UNKNOWN_MESSAGE, VERSION_MISMATCH, BUFFER_COUNT, SIZE_LIMIT, SIZE_MISMATCH,
            INVALID_SETTING or NON_FINITE; nothing else, whatever the bytes.
    """
    limits = limits or Limits()
    version, name, body = _read_header(parts, limits)
    kind = _KINDS.get(name)
    if version not in SPOKEN_VERSIONS and kind not in _READ_IN_ANY_VERSION:
        raise LifelikeError(
            ErrorCode.VERSION_MISMATCH,
            f"A message came in protocol version {version}; this side speaks {_SPOKEN}.",
            _REMEDY,
        )
    if kind is None:
        raise LifelikeError(ErrorCode.UNKNOWN_MESSAGE, f"There is no message called {name!r:.40}.", _REMEDY)
    arrays = ArrayReader(parts[1:], limits.array_side)
    try:
        converter = CONVERTERS.get(version, CONVERTERS[PROTOCOL_VERSION])
        message = cast(Message, converter.structure(arrays.place(body), kind))
    except BaseValidationError as cause:
        raise _explain(name, cause) from cause
    arrays.check_all_placed()
    validate(message, limits)
    return message


def job_of(parts: Sequence[Any], limits: Limits | None = None) -> str:
    """The job a message names, even one that `decode` refuses; "" where it names none.

    With it the backend can tell which job has failed when a submit cannot be read.
    """
    try:
        _, _, body = _read_header(parts, limits or Limits())
    except LifelikeError:
        return ""
    job = body.get("job", "")
    return job if isinstance(job, str) else ""


def as_message(error: LifelikeError, job: str = "") -> Error:
    """The `Error` message that says what an exception says."""
    return Error(code=error.code.value, what=error.what, remedy=error.remedy, job=job)


def as_exception(message: Error) -> LifelikeError:
    """The exception that says what an `Error` message says; a code this side does not know becomes INTERNAL."""
    try:
        code = ErrorCode(message.code)
    except ValueError:
        code = ErrorCode.INTERNAL
    return LifelikeError(code, message.what, message.remedy)


def negotiate_version(offered: Sequence[int]) -> int:
    """The newest protocol version both sides speak.

    Raises:
        LifelikeError: VERSION_MISMATCH where there is none.
    """
    common = set(SPOKEN_VERSIONS) & set(offered)
    if common:
        return max(common)
    raise LifelikeError(
        ErrorCode.VERSION_MISMATCH,
        f"The client speaks protocol version {', '.join(map(str, offered)) or 'none'}, the backend {_SPOKEN}.",
        _REMEDY,
    )


def _read_header(parts: Sequence[Any], limits: Limits) -> tuple[int, str, dict[str, Any]]:
    if not parts:
        raise LifelikeError(ErrorCode.MALFORMED, "A message came without a header.", _REMEDY)
    header = memoryview(getattr(parts[0], "buffer", parts[0]))
    _check_header_size(header.nbytes, limits)
    try:
        head = msgpack.unpackb(header, strict_map_key=True)
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as cause:
        raise LifelikeError(ErrorCode.MALFORMED, "A message's header is not msgpack.", _REMEDY) from cause
    if not isinstance(head, dict) or type(head.get("lifelike")) is not int:
        raise LifelikeError(ErrorCode.MALFORMED, "A message's header is not Lifelike's.", _REMEDY)
    version, name, body = head["lifelike"], head.get("type"), head.get("body")
    if not isinstance(name, str) or not isinstance(body, dict) or len(head) != 3:
        raise LifelikeError(
            ErrorCode.MALFORMED, 'A message\'s header must hold "lifelike", "type" and "body" alone.', _REMEDY
        )
    return version, name, body


def _check_header_size(size: int, limits: Limits) -> None:
    if size > limits.max_header:
        raise LifelikeError(
            ErrorCode.SIZE_LIMIT, f"A message's header of {size} bytes is larger than {limits.max_header}.", _REMEDY
        )


def _explain(name: str, cause: BaseValidationError) -> LifelikeError:
    """One sentence for everything cattrs found wrong; a typed error found on the way keeps its code."""
    pending: list[BaseException] = [cause]
    while pending:
        error = pending.pop()
        if isinstance(error, LifelikeError):
            return error
        pending += getattr(error, "exceptions", ())
    found = "; ".join(transform_error(cause, path=name)[:3])
    return LifelikeError(ErrorCode.MALFORMED, f"A message does not hold what it must: {found:.300}.", _REMEDY)
