# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike doctor`: what is installed, what is missing, what to do."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from lifelike.doctor import Check, State, examine

STYLES = {State.OK: "green", State.MISSING: "bold red", State.OPTIONAL: "yellow"}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Look at everything Lifelike needs. The exit status is 0 only when all that is needed is there."""
    checks = list(examine())
    if as_json:
        rows = [
            {"name": check.name, "state": check.state.value, "found": check.found, "remedy": check.remedy}
            for check in checks
        ]
        print(json.dumps(rows, indent=2))
    else:
        _show(checks)
    if any(check.state is State.MISSING for check in checks):
        raise typer.Exit(1)


def _show(checks: list[Check]) -> None:
    table = Table("", "", Column("found", overflow="fold"), Column("what to do", overflow="fold"))
    for check in checks:
        state = Text(check.state.value, style=STYLES[check.state])
        table.add_row(check.name, state, Text(check.found), Text(check.remedy))
    console = Console()
    console.print(table)
    missing = sum(check.state is State.MISSING for check in checks)
    console.print("Everything needed is there." if not missing else f"{missing} missing; see above what to do.")
