# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a training or evaluation module as a command: failures are one clear line, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

import typer
from rich.console import Console

from lifelike.failures import explain


def run_command(main: Callable[..., None]) -> None:
    """Read the command line by ``main``'s signature and call it; exit status 1 after a failure."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except Exception as error:
        Console(stderr=True, soft_wrap=True).print(explain(error), style="red", markup=False)
        sys.exit(1)
