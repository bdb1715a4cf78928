# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike enhance`: pictures in, photographs out.

The work is done in this process through the same `Worker` and pipeline as in the backend, or, with --connect, by
the backend that runs already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from attrs import evolve
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from lifelike.commands.enhance_report import failure, success, write_report
from lifelike.commands.landmark_file import read_landmarks
from lifelike.failures import explain
from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, Frame, Method, Result, Settings, Stage

Report = Callable[[Stage, float], None]
Enhance = Callable[[Frame, Settings, Report], Result]
Option = typer.Option


def enhance(
    pictures: Annotated[list[Path], typer.Argument(metavar="IN...", help="PNG, JPEG, TIFF or EXR files.")],
    output: Annotated[Path, Option("--output", "-o", help="A file, or a folder (always for several pictures).")],
    strength: Annotated[float, Option(min=0.0, max=1.0, help="0: as it was, 1: all the way.")] = 1.0,
    bundle: Annotated[str, Option(help="A name from `lifelike bundles list`, or a path.")] = "builtin",
    method: Annotated[Method, Option(help="How the generator pair is applied.")] = Method.BUNDLE,
    landmarks: Annotated[
        Path | None, Option(help="JSON: 68 pairs [x, y] in pixels, or a list of such faces. For one picture.")
    ] = None,
    report: Annotated[Path | None, Option(help="Write faces, similarity, timings and provenance as JSON.")] = None,
    force: Annotated[bool, Option("--force", help="Write over files that exist.")] = False,
    device: Annotated[str, Option(help="auto, cpu or cuda; without --connect.")] = "auto",
    threads: Annotated[int | None, Option(min=1, help="CPU threads; without --connect.")] = None,
    connect: Annotated[bool, Option("--connect", help="Let the running backend do the work.")] = False,
    connection_file: Annotated[Path | None, Option(help="The running backend's; with --connect.")] = None,
) -> None:
    """Turn the faces of rendered pictures into photographs. A picture that fails doesn't stop the others."""
    jobs = plan(pictures, output)
    _make_folder(jobs[0][1].parent)
    hints = _hints(landmarks, len(jobs))
    settings = Settings(bundle=bundle, strength=strength, method=method)
    entries = []
    working = _connected(connection_file) if connect else _in_this_process(device, threads)
    with working as work, _progress_bar() as bar:
        for picture, target in jobs:
            entries.append(_enhance_one(picture, target, hints, settings, work, force, bar))
    if report is not None:
        write_report(report, entries)
    if any("error" in entry for entry in entries):
        raise typer.Exit(1)


def plan(pictures: list[Path], output: Path) -> list[tuple[Path, Path]]:
    """Each picture with the file to write.

    Raises:
        LifelikeError: INVALID_SETTING when several pictures can't share `output`.
    """
    folder = len(pictures) > 1 or output.is_dir() or output.suffix == ""
    if not folder:
        return [(pictures[0], output)]
    if output.suffix and not output.is_dir():
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"Several pictures can't all be written to one file, {output}.",
            "Name a folder with -o.",
        )
    targets = [output / picture.name for picture in pictures]
    if len(set(targets)) < len(targets):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, "Two of the pictures have the same file name.", "Enhance them into two folders."
        )
    return list(zip(pictures, targets, strict=True))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The folder {folder} can't be made ({error.strerror}).", "Choose another -o."
        ) from error


def _hints(landmarks: Path | None, pictures: int) -> tuple[FaceHint, ...]:
    if landmarks is None:
        return ()
    if pictures > 1:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, "One landmark file can't be for several pictures.", "Enhance them one by one."
        )
    return read_landmarks(landmarks)


def _enhance_one(
    picture: Path,
    target: Path,
    hints: tuple[FaceHint, ...],
    settings: Settings,
    work: Enhance,
    force: bool,
    bar: Progress,
) -> dict[str, Any]:
    """Enhance one picture; its entry for the report."""
    from lifelike.imaging.files import check_writable, read_picture, write_picture

    task = bar.add_task(picture.name, total=1.0, stage="")
    try:
        # Before the work, so that nobody waits for what can't be kept.
        check_writable(target, force)
        frame = read_picture(picture)
        if hints:
            frame = evolve(frame, faces=hints)
        result = work(frame, settings, _shown(bar, task))
        write_picture(target, result.pixels, result.encoding, force=force)
    except Exception as error:
        failed = explain(error)
        bar.update(task, stage="[red]failed")
        told = str(failed) if str(picture) in failed.what else f"{picture}: {failed}"
        bar.console.print(told, style="red", markup=False, soft_wrap=True)
        return failure(picture, failed)
    bar.update(task, completed=1.0, stage="done")
    for face in result.faces:
        for warning in face.warnings:
            bar.console.print(f"{picture}: {warning}", style="yellow", markup=False, soft_wrap=True)
    return success(picture, target, result)


def _shown(bar: Progress, task: TaskID) -> Report:
    def report(stage: Stage, fraction: float) -> None:
        bar.update(task, completed=fraction, stage=stage.value)

    return report


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    # Errors go where the bar is, so that standard output stays free.
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[stage]}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        yield bar


@contextmanager
def _in_this_process(device: str, threads: int | None) -> Iterator[Enhance]:
    from lifelike.devices import set_threads
    from lifelike.worker import Worker

    set_threads(threads)
    worker = Worker(device)
    yield lambda frame, settings, report: worker.work("enhance", frame, settings, report)


@contextmanager
def _connected(connection_file: Path | None) -> Iterator[Enhance]:
    with Client.connect(connection_file, name="lifelike enhance") as client:

        def work(frame: Frame, settings: Settings, report: Report) -> Result:
            return client.enhance(
                frame, settings, on_progress=lambda progress: report(progress.stage, progress.fraction)
            )

        yield work
