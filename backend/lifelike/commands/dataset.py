# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike dataset`: makes the data sets that training and evaluation read."""

from __future__ import annotations

import typer

from lifelike.commands.dataset_prepare import prepare
from lifelike.commands.dataset_render import render

app = typer.Typer(help="Make data sets: from loose pictures, or from scenes.", no_args_is_help=True)
app.command("prepare")(prepare)
app.command("render")(render)
