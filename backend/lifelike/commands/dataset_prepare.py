# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike dataset prepare`: a data set of aligned portraits from loose pictures."""

from __future__ import annotations

import os
import shlex
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from lifelike.commands.train_extra import check_installed
from lifelike.datasets.preparation.thresholds import Thresholds
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lifelike.datasets.card import DataSetCard
    from lifelike.datasets.preparation.outcome import Outcome

Option = typer.Option
NEEDED = ("imagehash", "skimage")
"""Packages of the extra "train"."""
LIMITS = Thresholds()
RESOLUTIONS = (64, 128, 256, 512, 1024)
"""Of StyleGAN2 (Karras et al. 2020): powers of two; FFHQ's is 1024."""


def prepare(
    places: Annotated[list[Path], typer.Argument(metavar="FOLDER...", help="Folders of pictures, or pictures.")],
    output: Annotated[Path, Option("--output", "-o", help="The data set's folder; an unfinished one is continued.")],
    resolution: Annotated[int, Option(help=f"Pixels a side of a portrait: {', '.join(map(str, RESOLUTIONS))}.")] = 256,
    name: Annotated[str, Option(help="Of the data set; by default the folder's.")] = "",
    licence: Annotated[str, Option(help="Under which you may use the pictures; written on the card.")] = "",
    limit: Annotated[int | None, Option(min=1, help="Look at so many pictures only, for a trial.")] = None,
    workers: Annotated[int, Option(min=0, help="Processes; 0: one for each core, at most 8.")] = 0,
    bundle: Annotated[str, Option(help="Whose landmark network finds faces.")] = "builtin",
    least_side: Annotated[
        float, Option(min=0.0, help="Side of the face's square, in portrait pixels.")
    ] = LIMITS.least_side,
    most_blur: Annotated[float, Option(min=0.0, max=1.0, help="Perceptual blur of the inner face.")] = LIMITS.most_blur,
    most_yaw: Annotated[float, Option(min=0.0, max=90.0, help="Degrees the head is turned.")] = LIMITS.most_yaw,
    most_outside: Annotated[float, Option(min=0.0, max=1.0, help="Share outside the picture.")] = LIMITS.most_outside,
    most_shared: Annotated[float, Option(min=0.0, max=1.0, help="Share of another face inside.")] = LIMITS.most_shared,
    least_distance: Annotated[
        int, Option(min=0, max=256, help="Bits between two portraits' hashes.")
    ] = LIMITS.least_distance,
) -> None:
    """Find the faces of loose pictures, align them as FFHQ's are, and leave out what is no use, with a reason each.

    Stopped or killed, the same command continues. See docs/datasets.md for the measures and their defaults. You are
    responsible for having the rights in your pictures, and the consent of the people they show.
    """
    _check(resolution)
    from lifelike.datasets.preparation.run import Plan
    from lifelike.datasets.preparation.run import prepare as make

    limits = Thresholds(least_side, most_blur, most_yaw, most_outside, most_shared, least_distance)
    card = _card(output, resolution, name, licence, limits, bundle)
    plan = Plan(tuple(places), output, card, limits, limit, bundle, workers or min(8, os.cpu_count() or 1))
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("pictures"), TimeElapsedColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("")
            outcome = make(plan, lambda done, total: bar.update(task, completed=done, total=total))
    except KeyboardInterrupt:
        Console(stderr=True).print(f"Stopped; {output} is valid. The same command continues.", markup=False)
        raise typer.Exit(130) from None
    _show(outcome, output)


def _check(resolution: int) -> None:
    if resolution not in RESOLUTIONS:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"{resolution} pixels is no resolution of a generator.",
            f"Choose among {', '.join(map(str, RESOLUTIONS))}.",
        )
    check_installed(NEEDED, "preparing data sets")


def _card(output: Path, resolution: int, name: str, licence: str, limits: Thresholds, bundle: str) -> DataSetCard:
    """The card, after looking whether the bundle can find faces at all."""
    from attrs import asdict

    from lifelike.bundles import find_bundle, read_card
    from lifelike.bundles.file import bundle_sha256
    from lifelike.datasets.card import DataSetCard
    from lifelike.faces import pretrained_landmarks

    path = find_bundle(bundle)
    if read_card(path).locator is None and not pretrained_landmarks.available():
        raise LifelikeError(
            ErrorCode.INVALID_BUNDLE,
            f"The bundle {bundle} has no landmark network to find faces with.",
            "Choose another with --bundle, such as builtin.",
        )
    return DataSetCard(
        name=name or output.resolve().name,
        made_with="dataset prepare",
        resolution=resolution,
        command=shlex.join(["lifelike", *sys.argv[1:]]),
        settings={**asdict(limits), "bundle_sha256": bundle_sha256(path)},
        licence=licence,
        description="Portraits aligned by FFHQ's procedure from loose pictures.",
        versions={package: version(package) for package in ("pillow", "scikit-image", "ImageHash")},
    )


def _show(outcome: Outcome, output: Path) -> None:
    from lifelike.datasets.preparation.sheet import SHEET

    table = Table("", "faces or pictures", title=f"{outcome.pictures} pictures")
    table.add_row("kept", str(len(outcome.records)), style="green")
    for reason, count in outcome.counts().most_common():
        table.add_row(reason.value, str(count))
    console = Console()
    console.print(table)
    console.print(f"The contact sheet shows which: {output / SHEET}", markup=False, soft_wrap=True)
    if not outcome.records:
        raise LifelikeError(
            ErrorCode.NO_FACE,
            f"No face in the {outcome.pictures} pictures can be used.",
            "Look at the contact sheet for the reasons, and loosen a limit if they are too strict for you.",
        )
