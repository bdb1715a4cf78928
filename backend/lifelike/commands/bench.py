# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike bench`: how fast everything is on this machine, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lifelike_protocol.errors import ErrorCode, LifelikeError

Option = typer.Option
QUICK_RESOLUTION, QUICK_ROUNDS, QUICK_PICTURES = 256, 2, 4


class PartName(str, Enum):
    """As in `lifelike.bench.command.Part`, which is not imported before it is needed."""

    NETWORKS = "networks"
    STAGES = "stages"
    BATCHES = "batches"
    MEMORY = "memory"
    STARTS = "starts"


def bench(
    reference: Annotated[
        list[Path] | None,
        Option(help="Clone of stylegan2-ada-pytorch or pixel2style2pixel to compare with; as often as needed."),
    ] = None,
    json_file: Annotated[Path | None, Option("--json", help="Write everything as JSON.")] = None,
    markdown: Annotated[Path | None, Option(help="Write the tables as Markdown.")] = None,
    resolution: Annotated[
        list[int] | None, Option(help="Of a generator, pixels; as often as needed. [default: 256, 512, 1024]")
    ] = None,
    part: Annotated[list[PartName] | None, Option(help="Measure only this; as often as needed.")] = None,
    rounds: Annotated[int, Option(min=1, help="That count, after one that warms up.")] = 5,
    quick: Annotated[bool, Option("--quick", help="256 pixels, two rounds, no encoders, memory or starts.")] = False,
    bundle: Annotated[str, Option(help="Whose pictures' way is timed: a name, or a path.")] = "builtin",
    picture: Annotated[
        Path | None, Option(help="A picture with a face. [default: a drawn one, landmarks sent along]")
    ] = None,
    device: Annotated[str, Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, Option(min=1, help="CPU threads; with 1, other work hardly disturbs.")] = None,
) -> None:
    """Measure every stage, network, precision and batch, beside a reference where one is given."""
    from lifelike.bench.command import Part, Wish, carry_out
    from lifelike.bench.report_file import report_text
    from lifelike.bench.tables import as_markdown, for_terminal
    from lifelike.devices import choose_device, set_threads
    from lifelike.evaluation.report_file import write_text

    for file in (json_file, markdown):
        if file is not None:
            _check_folder(file)
    set_threads(threads)
    parts = tuple(Part(name.value) for name in part) if part else tuple(Part)
    wish = Wish(
        parts=tuple(one for one in parts if part or not quick or one not in (Part.MEMORY, Part.STARTS)),
        references=tuple(reference or ()),
        resolutions=tuple(resolution or ([QUICK_RESOLUTION] if quick else Wish().resolutions)),
        encoders=not quick,
        bundle=bundle,
        picture=picture,
        device=choose_device(device),
        rounds=min(rounds, QUICK_ROUNDS) if quick else rounds,
        pictures=QUICK_PICTURES if quick else Wish().pictures,
    )
    with _progress() as told:
        report = carry_out(wish, told)
    Console().print(for_terminal(report))
    if json_file is not None:
        write_text(json_file, report_text(report))
    if markdown is not None:
        write_text(markdown, as_markdown(report))


def _check_folder(file: Path) -> None:
    """Refuse before minutes of work what could not be written after them."""
    if file.is_dir() or not file.absolute().parent.is_dir():
        what = "is a folder" if file.is_dir() else "lies in a folder that does not exist"
        raise LifelikeError(ErrorCode.INVALID_FILE, f"{file} {what}.", "Choose another file.")


@contextmanager
def _progress() -> Iterator:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("bench", total=None)
        yield lambda what: bar.update(task, description=what)
