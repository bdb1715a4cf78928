# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bundles`: which bundles there are and what is in them."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from attrs import asdict
from rich.console import Console
from rich.table import Table

app = typer.Typer(help="The trained models.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list")
def list_all(as_json: AsJson = False) -> None:
    """List the bundles found."""
    from lifelike.bundles import list_bundles

    found = list_bundles()
    if as_json:
        print(json.dumps([asdict(bundle) for bundle in found], indent=2))
        return
    table = Table("name", "pixels", "licence", "SHA-256", "what it is")
    for bundle in found:
        table.add_row(bundle.name, str(bundle.resolution), bundle.licence, bundle.sha256[:12], bundle.description)
    Console().print(table)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A name from the list, or a path.")], as_json: AsJson = False
) -> None:
    """Load one bundle, which checks it, and show its card."""
    from lifelike.bundles import load_bundle

    bundle = load_bundle(name, "cpu")
    card = asdict(bundle.card)
    if as_json:
        print(json.dumps({**card, "sha256": bundle.sha256}, indent=2, default=str))
        return
    table = Table(show_header=False, box=None)
    for key, value in {**card, "sha256": bundle.sha256}.items():
        table.add_row(key, value if isinstance(value, str) else json.dumps(value, indent=1, default=str))
    Console().print(table)
