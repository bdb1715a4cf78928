# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `lifelike`: puts the commands together and turns every failure into one clear line."""

from __future__ import annotations

import logging
import os
import sys

import typer
from rich.console import Console

from lifelike.commands import (
    ablate,
    bench,
    bundles,
    dataset,
    doctor,
    enhance,
    evaluate,
    generate,
    running,
    serve,
    train,
)
from lifelike.failures import explain

app = typer.Typer(
    help="Turns rendered portraits into photographs of the same person.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("serve")(serve.serve)
app.command("enhance")(enhance.enhance)
app.command("generate")(generate.generate)
app.add_typer(bundles.app, name="bundles")
app.add_typer(dataset.app, name="dataset")
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("ablate")(ablate.ablate)
app.command("bench")(bench.bench)
app.command("status")(running.status)
app.command("stop")(running.stop)
app.command("doctor")(doctor.doctor)

DEBUG_VARIABLE = "LIFELIKE_DEBUG"


@app.callback()
def root(
    debug: bool = typer.Option(False, "--debug", envvar=DEBUG_VARIABLE, help="Show tracebacks and the log."),
) -> None:
    """Options before any command."""
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
        logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s: %(message)s")
    else:
        # Without a handler of ours, Python would print warnings with their tracebacks.
        logging.getLogger().addHandler(logging.NullHandler())
        # Pictures that a training or a measurement does without concern whoever started it.
        logging.getLogger("lifelike.datasets").addHandler(logging.StreamHandler())
    logging.captureWarnings(True)


def main() -> None:
    """Run the command line; exit status 0 when all went well, 1 for a failure, 2 for wrong usage."""
    try:
        app()
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        Console(stderr=True, soft_wrap=True).print(f"lifelike: {explain(error)}", style="red", markup=False)
        sys.exit(1)
