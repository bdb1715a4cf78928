# SPDX-License-Identifier: GPL-3.0-or-later
"""PROTOCOL.md says everything the code does, and nothing else."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from lifelike_protocol import codec, connection, link, messages, validation
from lifelike_protocol.arrays import DTYPES, MAX_NESTING, REFERENCE_KEYS
from lifelike_protocol.connection import ConnectionInfo
from lifelike_protocol.errors import ErrorCode

TEXT = (Path(messages.__file__).parent / "PROTOCOL.md").read_text(encoding="utf-8")

VALUES = {
    "frame": messages.Frame,
    "encoding": messages.Encoding,
    "face hint": messages.FaceHint,
    "source": messages.Source,
    "settings": messages.Settings,
    "inversion": messages.Inversion,
    "restoration": messages.Restoration,
    "face result": messages.FaceResult,
    "provenance": messages.Provenance,
    "bundle summary": messages.BundleSummary,
}
"""What messages are made of, by its name in the document."""


def section(title: str) -> str:
    """What stands under a heading, up to the next heading."""
    match = re.search(rf"^#+ {re.escape(title)}$\n(.*?)(?=^#|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert match, f"PROTOCOL.md has no section {title!r}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """The rows of the first table of `text`, without its head."""
    lines = text.split("\n")
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


def table_of(kind: type, name: str, text: str) -> dict[str, str]:
    """Field names and their documented defaults."""
    if not attrs.fields(kind):
        assert "No fields." in text, name
        return {}
    return {row[0].strip("`"): row[2] for row in rows(text)}


def documented(value: Any) -> str:
    """A default as the tables write it."""
    if value is attrs.NOTHING:
        return ""
    if isinstance(value, attrs.Factory):  # type: ignore[arg-type]
        return "{}"
    if isinstance(value, Enum):
        return f'"{value.value}"'
    if isinstance(value, str):
        return f'"{value}"'
    if value is None:
        return "nil"
    if isinstance(value, tuple):
        return f"({', '.join(map(str, value))})"
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("kind", [*messages.CLIENT_MESSAGES, *messages.SERVER_MESSAGES], ids=codec.message_name)
def test_every_message_has_its_section_with_every_field(kind: type) -> None:
    name = codec.message_name(kind)
    assert_same_fields(kind, table_of(kind, name, section(name).split("\n*")[0]))


@pytest.mark.parametrize("name", VALUES)
def test_every_value_has_its_table_with_every_field(name: str) -> None:
    _, found, after = TEXT.partition(f"\n*{name}*")
    assert found
    assert_same_fields(VALUES[name], table_of(VALUES[name], name, after))


def assert_same_fields(kind: type, table: dict[str, str]) -> None:
    fields = attrs.fields(kind)
    assert list(table) == [field.name for field in fields]
    for field in fields:
        if not attrs.has(type(field.default)):  # those are "all defaults"
            assert table[field.name] == documented(field.default), field.name
        else:
            assert table[field.name] == "all defaults", field.name


def test_no_message_is_documented_that_does_not_exist() -> None:
    client = TEXT.index("## Messages of the client")
    backend = TEXT.index("## Messages of the backend")
    end = TEXT.index("## Error codes")
    for part, kinds in (
        (TEXT[client:backend], messages.CLIENT_MESSAGES), (TEXT[backend:end], messages.SERVER_MESSAGES),
    ):  # fmt: skip
        assert re.findall(r"^### (\w+)$", part, re.MULTILINE) == [codec.message_name(kind) for kind in kinds]


def test_every_value_type_is_documented() -> None:
    used = {kind for kind in vars(messages).values() if isinstance(kind, type) and attrs.has(kind)}
    assert used == {*VALUES.values(), *messages.CLIENT_MESSAGES, *messages.SERVER_MESSAGES}


def test_every_error_code_is_documented() -> None:
    text = section("Error codes")
    listed = {row[0].strip("`") for row in rows(text)}
    clients_own = set(re.findall(r"`(\w+)` \(", text))
    assert listed | clients_own == {code.value for code in ErrorCode}
    assert clients_own == {"not_running", "refused", "timeout"}


@pytest.mark.parametrize("choice", [*messages.Stage, *messages.Method, *messages.LandmarkSource])
def test_every_choice_is_documented(choice: Enum) -> None:
    assert f'"{choice.value}"' in TEXT


def test_connection_file_is_documented() -> None:
    table = rows(section("Finding the backend: the connection file"))
    assert [row[0].strip("`") for row in table] == [field.name for field in attrs.fields(ConnectionInfo)]


def test_array_reference_is_documented() -> None:
    table = rows(section("Arrays"))
    assert {row[0].strip("`") for row in table} == REFERENCE_KEYS
    for dtype in DTYPES:
        assert f"`{dtype}`" in section("Arrays")


def test_numbers_are_the_code_s() -> None:
    limits = codec.Limits()
    assert f"protocol, version {messages.PROTOCOL_VERSION}\n" in TEXT
    assert rows(section("Versions"))[-1][0] == str(messages.PROTOCOL_VERSION)
    assert f"at most {limits.max_header // 1024} KiB" in TEXT
    assert f"at most {MAX_NESTING}\ndeep" in TEXT
    assert f"({limits.max_side} unless" in TEXT
    assert f"at most {limits.max_faces} faces" in TEXT
    assert f"1 to {validation.MAX_NAME} characters" in TEXT
    assert f"handshake within {connection.HANDSHAKE_SECONDS:g} s" in TEXT
    assert f"nothing for {link.HEARTBEAT_INTERVAL:g} s" in TEXT
    assert f"comes for {link.HEARTBEAT_LIMIT:g} s" in TEXT
    assert f"at {link.SLOWEST_TRANSFER / 1e6:g} MB/s" in TEXT


def test_the_example_is_a_message() -> None:
    match = re.search(r"^    (83 .*)$", TEXT, re.MULTILINE)
    assert match
    header = bytes.fromhex(match[1].replace(" ", ""))
    assert codec.decode([header]) == messages.Ping(7)
    assert codec.encode(messages.Ping(7)) == [header]
