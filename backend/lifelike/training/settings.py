# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a training from a TOML file and the command line, and back into a file.

A kind of training has one frozen attrs class; its nested classes are the file's tables. Nothing is guessed: an unknown
key or a value of another type is refused with its name.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import attrs
import cattrs
from cattrs.errors import ForbiddenExtraKeysError

from lifelike.whole_files import write_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Settings = TypeVar("Settings")
Table = dict[str, Any]


def read_settings(cls: type[Settings], file: Path | None, changes: Sequence[str] = ()) -> Settings:
    """Settings of the class `cls` from a TOML file, with changes on top.

    Args:
        cls: attrs class whose fields are the file's keys; nested attrs classes are tables.
        file: None takes the defaults. Paths in it are relative to the current folder.
        changes: "table.key=value", the value as TOML has it; text needs no quotes.

    Raises:
        LifelikeError: INVALID_FILE for an unreadable file, INVALID_SETTING naming the key that is unknown, missing, or
            has a value it cannot take.
    """
    values = read_table(file) if file is not None else {}
    for change in changes:
        _apply(values, change, cls)
    return settings_from_table(cls, values)


def settings_from_table(cls: type[Settings], values: Table) -> Settings:
    """Settings of the class `cls` from nested tables; errors as in `read_settings`."""
    try:
        return _converter.structure(values, cls)
    except cattrs.BaseValidationError as error:
        raise _refusal(error, cls) from error


def read_table(file: Path) -> Table:
    """The tables of a TOML file.

    Raises:
        LifelikeError: INVALID_FILE when it cannot be read.
    """
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        what = f"The settings {file} cannot be read: {reason}."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Give a TOML file with --config.") from error


def write_settings(settings: Any, file: Path) -> None:
    """Write settings as TOML that `read_settings` reads back equal; whole or not at all."""
    write_whole(file, settings_text(settings).encode())


def settings_text(settings: Any) -> str:
    """Settings as TOML."""
    return "\n".join(_lines(to_table(settings), ())) + "\n"


def to_table(settings: Any) -> Table:
    """Settings as nested dictionaries of plain values; what is None is left out."""
    table: Table = _converter.unstructure(settings)
    return _without_none(table)


def differences(first: Any, second: Any) -> dict[str, tuple[Any, Any]]:
    """The dotted keys in which two settings of one class differ, each with both values."""
    tables = [dict(_flat(to_table(settings), ())) for settings in (first, second)]
    keys = [*tables[0], *(key for key in tables[1] if key not in tables[0])]
    pairs = {key: (tables[0].get(key), tables[1].get(key)) for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


# -- reading ------------------------------------------------------------------------------------------


def _strict(kinds: tuple[type, ...], name: str) -> Any:
    def structure(value: Any, cls: type) -> Any:
        if isinstance(value, bool) is not (bool in kinds) or not isinstance(value, kinds):
            raise TypeError(f"must be {name}, not {value!r}")
        return cls(value)

    return structure


def _listed(value: Any, cls: Any) -> tuple[Any, ...]:
    """A `tuple[X, ...]`; one text is as good as a list of one."""
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        raise TypeError(f"must be a list, not {value!r}")
    kind: Any = list[get_args(cls)[0]]  # type: ignore[misc]
    return tuple(_converter.structure(values, kind))


def _one_of(value: Any, cls: Any) -> Any:
    if value not in get_args(cls):
        raise TypeError(f"must be one of {', '.join(map(repr, get_args(cls)))}, not {value!r}")
    return value


_converter = cattrs.Converter(forbid_extra_keys=True)
_converter.register_structure_hook(bool, _strict((bool,), "true or false"))
_converter.register_structure_hook(int, _strict((int,), "a whole number"))
_converter.register_structure_hook(float, _strict((int, float), "a number"))
_converter.register_structure_hook(str, _strict((str, int), "text"))  # `devices = 2` is as good as "2"
_converter.register_structure_hook(Path, _strict((str,), "a path"))
_converter.register_structure_hook_func(lambda cls: get_origin(cls) is tuple, lambda value, cls: _listed(value, cls))
_converter.register_structure_hook_func(lambda cls: get_origin(cls) is Literal, lambda value, cls: _one_of(value, cls))
_converter.register_unstructure_hook_func(lambda cls: isinstance(cls, type) and issubclass(cls, Path), str)


def _apply(values: Table, change: str, cls: type) -> None:
    """Put one "table.key=value" into `values`."""
    key, equals, text = change.partition("=")
    names = key.strip().split(".")
    if not equals or not all(names):
        what = f"The change {change!r} is not of the form table.key=value."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Write for example: --set run.batch=16")
    for name in names[:-1]:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise _unknown(key.strip(), cls)
    values[names[-1]] = _value(text.strip())


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _refusal(error: cattrs.BaseValidationError, cls: type) -> LifelikeError:
    """The first thing wrong, as one sentence."""
    first = cattrs.transform_error(error, path="", format_exception=_tell)[0]
    detail, _, place = first.rpartition(" @ ")
    key = place.strip(".")
    if detail.startswith("unknown "):
        return _unknown(f"{key}.{detail.removeprefix('unknown ')}".strip("."), cls)
    remedy = "Change it in the configuration, or with --set."
    if detail == "missing":
        return LifelikeError(ErrorCode.INVALID_SETTING, f"The setting {key} is missing.", f"Give it: --set {key}=…")
    what = f"The setting {key} {detail}." if key and detail.startswith("must be ") else f"{detail}."
    return LifelikeError(ErrorCode.INVALID_SETTING, what, remedy)


def _tell(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        return f"unknown {min(error.extra_fields)}"
    if isinstance(error, KeyError):
        return "missing"
    if (isinstance(error, TypeError) and "not a mapping" in str(error)) or (kind is not None and attrs.has(kind)):
        return str(error) if isinstance(error, ValueError) else "must be a table"
    return str(error.args[0]) if error.args else type(error).__name__


def _unknown(key: str, cls: type) -> LifelikeError:
    known = list(_known_keys(cls, ()))
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    if not near:  # the right name in the wrong table
        near = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]][:1]
    remedy = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(known)}."
    return LifelikeError(ErrorCode.INVALID_SETTING, f"There is no setting {key}.", remedy)


def _known_keys(cls: Any, above: tuple[str, ...]) -> list[str]:
    keys = []
    for name, field in attrs.fields_dict(attrs.resolve_types(cls)).items():
        nested = field.type is not None and attrs.has(field.type)
        keys += _known_keys(field.type, (*above, name)) if nested else [".".join((*above, name))]
    return keys


# -- writing ------------------------------------------------------------------------------------------


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_none(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [_without_none(inner) for inner in value]
    return value


def _flat(table: Table, above: tuple[str, ...]) -> list[tuple[str, Any]]:
    rows = []
    for key, value in table.items():
        rows += _flat(value, (*above, key)) if isinstance(value, dict) else [(".".join((*above, key)), value)]
    return rows


def _lines(table: Table, above: tuple[str, ...]) -> list[str]:
    """A table's own values first, then its tables."""
    lines = [f"[{'.'.join(_key(name) for name in above)}]"] if above else []
    lines += [f"{_key(key)} = {_text(value)}" for key, value in table.items() if not isinstance(value, dict)]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += ["", *_lines(value, (*above, key))]
    return lines


def _key(name: str) -> str:
    bare = name.replace("_", "").replace("-", "")
    return name if bare.isascii() and bare.isalnum() else _text(name)


def _text(value: Any) -> str:
    if isinstance(value, str):  # TOML's basic strings are JSON's, but for one control character
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, list):
        return f"[{', '.join(_text(inner) for inner in value)}]"
    return str(value).lower() if isinstance(value, bool) else repr(value)
