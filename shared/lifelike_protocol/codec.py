# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to frames and back: one msgpack header, then each array's bytes, uncopied.

The header is the map `{"lifelike": version, "type": name, "body": fields}`; PROTOCOL.md has the details.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin

import msgpack
import numpy as np
from cattrs import BaseValidationError, Converter, transform_error
from cattrs.preconf.msgpack import MsgpackConverter, make_converter

from .arrays import ArrayReader, ArrayWriter
from .errors import ErrorCode, LifelikeError
from .messages import (
    CLIENT_MESSAGES,
    PROTOCOL_VERSION,
    SERVER_MESSAGES,
    Error,
    Hello,
    LandmarkSource,
    Message,
    Method,
    Stage,
)
from .validation import Limits, validate

__all__ = ["Limits", "as_exception", "as_message", "decode", "encode", "job_of", "message_name", "negotiate_version"]

_READ_IN_ANY_VERSION = (Hello, Error)
"""Their layout never changes, so that two sides without a common version can still tell each other."""

_REMEDY = "Make sure that the extension and the backend are of the same release of Lifelike."


def message_name(kind: type) -> str:
    """A message class's name on the wire: `StatusRequest` is "status_request"."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


_KINDS: dict[str, type] = {message_name(kind): kind for kind in (*CLIENT_MESSAGES, *SERVER_MESSAGES)}


def encode(message: Message, limits: Limits | None = None) -> list[bytes | memoryview]:
    """The frames to send: the header, then one buffer per array.

    Arrays in C order are not copied, so they must not change until they are sent; others are made contiguous.

    Args:
        message: any message of `messages`.
        limits: what the message must keep to; by default `Limits()`.

    Raises:
        LifelikeError: as `validate` does; MALFORMED for a value that no message can carry;
            SIZE_LIMIT for a header beyond `limits.max_header`.
    """
    limits = limits or Limits()
    writer = ArrayWriter()
    try:
        body = _CONVERTER.unstructure(message)
        validate(message, limits)
        head = {"lifelike": PROTOCOL_VERSION, "type": message_name(type(message)), "body": body}
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
    if version != PROTOCOL_VERSION and kind not in _READ_IN_ANY_VERSION:
        raise LifelikeError(
            ErrorCode.VERSION_MISMATCH,
            f"A message came in protocol version {version}; this side speaks {PROTOCOL_VERSION}.",
            _REMEDY,
        )
    if kind is None:
        raise LifelikeError(ErrorCode.UNKNOWN_MESSAGE, f"There is no message called {name!r:.40}.", _REMEDY)
    arrays = ArrayReader(parts[1:], limits.array_side)
    try:
        message = cast(Message, _CONVERTER.structure(arrays.place(body), kind))
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
    if PROTOCOL_VERSION in offered:
        return PROTOCOL_VERSION
    raise LifelikeError(
        ErrorCode.VERSION_MISMATCH,
        f"The client speaks protocol version {', '.join(map(str, offered)) or 'none'}, the backend {PROTOCOL_VERSION}.",
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


# cattrs would turn "5" into 5 and 5 into "5"; the protocol takes each value as it is or not at all.


def _structure_exactly(kind: type) -> Callable[[Any, Any], Any]:
    def structure(value: Any, _: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"expected {kind.__name__}")
        return value

    return structure


def _structure_float(value: Any, _: Any) -> float:
    if type(value) not in (float, int):
        raise TypeError("expected a number")
    return _finite(value)


def _finite(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise LifelikeError(ErrorCode.NON_FINITE, "A number in the header is not finite.", "Send finite numbers only.")
    return number


def _structure_enum(value: Any, kind: type[Enum]) -> Enum:
    try:
        return kind(value)
    except ValueError:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"{value!r:.40} is no {message_name(kind)}.",
            f"Use one of: {', '.join(str(member.value) for member in kind)}.",
        ) from None


def _structure_array(value: Any, _: Any) -> Any:
    if not isinstance(value, np.ndarray):
        raise TypeError("expected an array's reference")
    return value


def _tuple_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    item_kinds = get_args(kind)
    any_length = item_kinds[-1] is Ellipsis
    hooks = [converter.get_structure_hook(item) for item in item_kinds if item is not Ellipsis]

    def structure(value: Any, _: Any) -> tuple[Any, ...]:
        if type(value) is not list or not (any_length or len(value) == len(hooks)):
            raise TypeError("expected a list" if any_length else f"expected a list of {len(hooks)}")
        if any_length:
            return tuple(hooks[0](item, item_kinds[0]) for item in value)
        return tuple(hook(item, item_kind) for hook, item, item_kind in zip(hooks, value, item_kinds, strict=True))

    return structure


def _optional_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:
    (present,) = (item for item in get_args(kind) if item is not NoneType)
    hook = converter.get_structure_hook(present)
    return lambda value, _: None if value is None else hook(value, present)


def _is_array(kind: Any) -> bool:
    return kind is np.ndarray or get_origin(kind) is np.ndarray


def _is_tuple(kind: Any) -> bool:
    return get_origin(kind) is tuple


def _is_optional(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType) and NoneType in get_args(kind)


def _converter() -> MsgpackConverter:
    converter = make_converter(forbid_extra_keys=True)
    for kind in (int, str):
        converter.register_structure_hook(kind, _structure_exactly(kind))
    converter.register_structure_hook(float, _structure_float)
    converter.register_unstructure_hook(float, _finite)
    for enum in (LandmarkSource, Method, Stage):  # by name, or they would count as the str they also are
        converter.register_structure_hook(enum, _structure_enum)
    converter.register_structure_hook_factory(_is_tuple, _tuple_hook)
    converter.register_structure_hook_factory(_is_optional, _optional_hook)
    converter.register_structure_hook_func(_is_array, _structure_array)
    converter.register_unstructure_hook_func(_is_array, lambda array: array)
    return converter


_CONVERTER = _converter()
