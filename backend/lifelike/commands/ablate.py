# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike ablate CONFIG`: the same small training with one thing changed at a time, in one table and one sheet."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lifelike.commands.evaluate import check_extra
from lifelike.commands.train import SIGNAL_STATUS, find_kind

Option = typer.Option


def ablate(
    config: Annotated[Path, typer.Argument(help="Settings (TOML), see examples/training/ablation.toml.")],
    run: Annotated[Path, Option(help="Folder for runs, reports, table and sheet; continued where one was begun.")],
    changes: Annotated[list[str] | None, Option("--set", help="table.key=value for all variants.")] = None,
    stop_after: Annotated[float | None, Option(help="Minutes, after which it is left as it stands.")] = None,
) -> None:
    """Train variants of the paper's way, measure each on people kept from training, and compare them.

    The same command continues an ablation that was stopped, however it was stopped.
    """
    check_extra()
    find_kind("render")
    from lifelike.evaluation.ablation.ablate import ablate as carry_out
    from lifelike.evaluation.ablation.table import as_markdown
    from lifelike.evaluation.ablation.trainings import Stopped

    console = Console()
    try:
        table = carry_out(config, changes or [], run, console, stop_after, shlex.join(["lifelike", *sys.argv[1:]]))
    except Stopped as reason:
        console.print(f"Stopped ({reason}); the same command continues.", highlight=False, markup=False)
        if str(reason) in SIGNAL_STATUS:
            raise typer.Exit(SIGNAL_STATUS[str(reason)]) from None
        return
    console.print(as_markdown(table), highlight=False, markup=False, soft_wrap=True)
    console.print(str(run / "ablation.html"), markup=False, soft_wrap=True)
