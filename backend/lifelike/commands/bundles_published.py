# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lifelike bundles download` shows: the list of published weights, and the terms of those asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from attrs import asdict
from rich.console import Console
from rich.table import Column, Table

from lifelike.bundles.public.catalogue import FILES, SETS
from lifelike.bundles.public.entry import PublicFile
from lifelike.bundles.public.space import in_words


def print_list(folder: Path) -> None:
    """Sets and files as a table, and where files are kept."""
    table = Table(Column("name", no_wrap=True), "what it is", "size", "licence", "fetched")
    for one in SETS:
        what = f"{one.what} ({', '.join(file.name for file in one.files)})"
        table.add_row(one.name, what, in_words(sum(file.size for file in one.files)), "those of its files", "")
    table.add_section()
    for file in FILES:
        licence = file.terms.licence + ("; non-commercial use only" if file.terms.non_commercial else "")
        table.add_row(file.name, file.what, _size(file), licence, _way(file))
    Console().print(table)
    print(f"Files are kept in {folder}. Their terms are shown before anything is fetched.")


def print_list_as_json() -> None:
    """The same for programs, with everything that is known of each file."""
    sets = [{"name": one.name, "what": one.what, "files": [file.name for file in one.files]} for one in SETS]
    print(json.dumps({"sets": sets, "files": [_described(file) for file in FILES]}, indent=2))


def _described(file: PublicFile) -> dict[str, Any]:
    return {**asdict(file), "part": file.part.value}


def _way(file: PublicFile) -> str:
    if not file.address:
        return "with a browser"
    return "from a copy" if file.address_note else "from its authors"


def _size(file: PublicFile) -> str:
    return in_words(file.size) if file.size else "unknown"


def print_terms(files: Iterable[PublicFile]) -> None:
    """What a person has to know of each file before it is fetched, on standard error."""
    console = Console(stderr=True, highlight=False)
    for file in files:
        console.print(f"\n[bold]{file.file_name}[/bold] ({_size(file)}): {file.what}")
        table = Table("", Column("", overflow="fold"), show_header=False, box=None, padding=(0, 1, 0, 2))
        for title, text in _rows(file).items():
            if text:
                table.add_row(title, text)
        console.print(table)


def _rows(file: PublicFile) -> dict[str, str]:
    return {
        "licence": f"{file.terms.licence}\n{file.terms.text}",
        "non-commercial": f"yes: {file.terms.why}" if file.terms.non_commercial else "",
        "to be cited": "\n".join(file.terms.citations),
        "published at": file.page,
        "fetched from": "\n".join(line for line in (file.address, file.address_note) if line),
        "SHA-256": f"{file.sha256}\n{file.hash_note}" if file.sha256 else "unknown: what comes cannot be checked",
    }
