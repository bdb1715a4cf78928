# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike evaluate BUNDLE`: what a bundle does to people it has never seen, in numbers and pictures."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lifelike.commands.train_extra import check_installed
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

if TYPE_CHECKING:
    from lifelike.evaluation.report import Report

RESERVED = "0-79"
EVERYBODY = "all"
NEEDED = ("jinja2", "matplotlib", "skimage")
Option = typer.Option


def evaluate(
    bundle: Annotated[str, typer.Argument(help="A name from `lifelike bundles list`, or a path.")],
    report: Annotated[Path, Option(help="Folder for report.html, report.json and sheet.png.")],
    pairs: Annotated[list[Path] | None, Option(help="Data set with both looks; as often as needed.")] = None,
    renders: Annotated[Path | None, Option(help="Data set of aligned renders without a truth.")] = None,
    identities: Annotated[
        str | None, Option(help=f'Whom to evaluate on, such as {RESERVED}, or "all". [default: {RESERVED} of pairs]')
    ] = None,
    method: Annotated[Method, Option(help="What counts as the bundle's output; the other one is shown too.")] = (
        Method.BUNDLE
    ),
    strength: Annotated[float, Option(min=0.0, max=1.0)] = 1.0,
    embedder: Annotated[
        list[str] | None,
        Option(help="Another identity network: ONNX, TorchScript or ours [,crop= size= range= channels= name=]."),
    ] = None,
    baseline: Annotated[list[str] | None, Option(help="unet=RUN: folder of `lifelike train unet`.")] = None,
    lpips: Annotated[Path | None, Option(help="vgg16.pt of stylegan2-ada-pytorch.")] = None,
    inception: Annotated[Path | None, Option(help="inception-2015-12-05.pt of stylegan2-ada-pytorch.")] = None,
    allow_downloads: Annotated[bool, Option("--allow-downloads", help="Fetch what is published with a hash.")] = False,
    seed: Annotated[int, Option(help="Of the bootstrap.")] = 0,
    resamples: Annotated[int, Option(min=100, help="Of the bootstrap.")] = 1000,
    batch: Annotated[int, Option(min=1, help="Pictures at a time.")] = 8,
    cache: Annotated[Path | None, Option(help="Folder for decoded pictures; saves memory.")] = None,
    device: Annotated[str, Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Measure a bundle beside baselines on people kept from training, and write a page about it."""
    check_extra()
    from lifelike.devices import choose_device, set_threads
    from lifelike.evaluation.command import Wish, carry_out

    if bool(pairs) == (renders is not None):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            "An evaluation is either on pairs or on renders.",
            "Give --pairs DIR, or --renders DIR.",
        )
    set_threads(threads)
    wish = Wish(
        bundle=bundle,
        folder=report,
        pairs=tuple(pairs or ()),
        renders=renders,
        identities=identities or (EVERYBODY if renders else RESERVED),
        method=method,
        strength=strength,
        embedders=tuple(embedder or ()),
        baselines=tuple(baseline or ()),
        lpips=lpips,
        inception=inception,
        allow_downloads=allow_downloads,
        seed=seed,
        resamples=resamples,
        batch=batch,
        cache=cache,
        device=choose_device(device),
        command=shlex.join(["lifelike", *sys.argv[1:]]),
    )
    with _progress_bar() as bar:
        task = bar.add_task("evaluating", total=None, visible=False)  # nothing to show before the work begins
        made = carry_out(wish, lambda done, total: bar.update(task, completed=done, total=total, visible=True))
    show(made, Console())
    Console().print(f"{report / 'report.html'}", markup=False, soft_wrap=True)


def show(report: Report, console: Console) -> None:
    """The main table in the terminal."""
    from lifelike.evaluation.tables import terminal_table

    console.print(terminal_table(report))
    for gone in report.missing:
        console.print(f"Left out: {gone.title}. {gone.why} {gone.remedy}", style="yellow", markup=False)


def check_extra() -> None:
    """Raise INVALID_SETTING, with what to do, where the packages for evaluation are not installed."""
    check_installed(NEEDED, "evaluation")


def _progress_bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
