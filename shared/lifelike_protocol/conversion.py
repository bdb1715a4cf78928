# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to plain maps and back, with cattrs made strict: each value is taken as it is or not at all.

By itself cattrs would turn "5" into 5, 5 into "5" and a map into a list of its keys.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import attrs
import numpy as np
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override
from cattrs.preconf.msgpack import MsgpackConverter, make_converter

from .errors import ErrorCode, LifelikeError
from .messages import SPOKEN_VERSIONS, LandmarkSource, Method, Stage


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
            f"{value!r:.40} is no {kind.__name__.lower()}.",
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


def _newer_fields(kind: type, version: int) -> dict[str, Any]:
    """The fields of a message or value that a protocol version does not have."""
    fields = attrs.fields(kind) if attrs.has(kind) else ()
    return {one.name: override(omit=True) for one in fields if one.metadata.get("since", 1) > version}


def _converter(version: int) -> MsgpackConverter:
    """Arrays pass through untouched both ways; `arrays` turns them into references and back."""
    converter = make_converter(forbid_extra_keys=True)

    def has_newer_fields(kind: Any) -> bool:
        return isinstance(kind, type) and bool(_newer_fields(kind, version))

    converter.register_structure_hook_factory(
        has_newer_fields,
        lambda kind: make_dict_structure_fn(
            kind, converter, _cattrs_forbid_extra_keys=True, **_newer_fields(kind, version)
        ),
    )
    converter.register_unstructure_hook_factory(
        has_newer_fields, lambda kind: make_dict_unstructure_fn(kind, converter, **_newer_fields(kind, version))
    )
    for kind in (bool, int, str):
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


CONVERTERS = {version: _converter(version) for version in SPOKEN_VERSIONS}
"""One for each protocol version."""
