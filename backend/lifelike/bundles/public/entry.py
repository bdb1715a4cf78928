# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of one published file, and of several that make a bundle together."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Part(str, Enum):
    """What of a bundle a file is for."""

    PHOTO = "photo"
    ENCODER = "encoder"
    IDENTITY = "identity"


@frozen
class Terms:
    """Under which terms something may be used.

    licence: its name; of several parts, "; " between. text: the address of its words.
    non_commercial: whether only research or evaluation is allowed. why: one sentence: where that is said.
    citations: whom to name, one line a work.
    """

    licence: str
    text: str
    non_commercial: bool
    why: str
    citations: tuple[str, ...]


@frozen
class PublicFile:
    """One file.

    name: what a person types. file_name: what its authors call it.
    page: where its authors offer it, for a browser.
    address: where its bytes can be fetched from; "" where only a browser gets at them.
    address_note: what is to be known of that address, "" for the authors' own.
    size: bytes, 0 where unknown. sha256: hexadecimal, "" where unknown; hash_note: who says so.
    """

    name: str
    file_name: str
    what: str
    part: Part
    page: str
    terms: Terms
    address: str = ""
    address_note: str = ""
    size: int = 0
    sha256: str = ""
    hash_note: str = ""


@frozen
class PublicSet:
    """Files that make one bundle together: at most one for each part."""

    name: str
    what: str
    files: tuple[PublicFile, ...]
