# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike enhance`: pictures in, photographs out.

The work is done in this process through the same `Worker` and pipeline as in the backend, or, with --connect, by
the backend that runs already.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from lifelike.batches.memory import Room, free_share
from lifelike.commands.enhance_batch import Wish, enhance_all
from lifelike.commands.enhance_crew import connected, in_this_process
from lifelike.commands.enhance_report import terms, write_report
from lifelike.commands.landmark_file import read_landmarks
from lifelike.execution.precision import Precision
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, Inversion, Method, Restoration, Settings
from lifelike_protocol.validation import MAX_STEPS

Option = typer.Option
INVERSION = "Inversion"
NO_LONGER, RESTORED = Inversion(), Restoration()


def _restored(name: str, what: str) -> Any:
    """The option of how much of something comes back from the input."""
    told = f"How much of {what} comes back to a decode."
    return Option(f"--restore-{name}", min=0.0, max=1.0, rich_help_panel=INVERSION, help=told)


def enhance(
    pictures: Annotated[list[Path], typer.Argument(metavar="IN...", help="PNG, JPEG, TIFF or EXR files.")],
    output: Annotated[Path, Option("--output", "-o", help="A file, or a folder (always for several pictures).")],
    strength: Annotated[float, Option(min=0.0, max=1.0, help="0: as it was, 1: all the way.")] = 1.0,
    bundle: Annotated[str, Option(help="A name from `lifelike bundles list`, or a path.")] = "builtin",
    method: Annotated[Method, Option(help="How the generator pair is applied.")] = Method.BUNDLE,
    refine: Annotated[
        int,
        Option(
            min=0,
            max=MAX_STEPS,
            rich_help_panel=INVERSION,
            help="Steps to refine each latent by, at most; with decode 16 are worth it.",
        ),
    ] = NO_LONGER.refine,
    tune: Annotated[
        int,
        Option(min=0, max=MAX_STEPS, rich_help_panel=INVERSION, help="Steps to tune the generators to it, at most."),
    ] = NO_LONGER.tune,
    iris: Annotated[float, _restored("iris", "the irises' color")] = RESTORED.iris,
    skin: Annotated[float, _restored("skin", "the skin's color")] = RESTORED.skin,
    background: Annotated[float, _restored("background", "what is around the face")] = RESTORED.background,
    accessories: Annotated[float, _restored("accessories", "glasses, jewelry and the like")] = RESTORED.accessories,
    landmarks: Annotated[
        Path | None, Option(help="JSON: 68 pairs [x, y] in pixels, or a list of such faces. For one picture.")
    ] = None,
    report: Annotated[Path | None, Option(help="Write faces, similarity, timings and provenance as JSON.")] = None,
    force: Annotated[bool, Option("--force", help="Write over files that exist.")] = False,
    device: Annotated[str, Option(help="auto, cpu or cuda; without --connect.")] = "auto",
    threads: Annotated[int | None, Option(min=1, help="CPU threads; without --connect.")] = None,
    precision: Annotated[
        Precision, Option(help="Of the networks, auto: the fastest here; without --connect.")
    ] = Precision.AUTO,
    jobs: Annotated[
        int | None,
        Option("--jobs", "-j", min=1, max=16, help="Pictures at a time. [default: one a CPU thread, 3 with --connect]"),
    ] = None,
    connect: Annotated[bool, Option("--connect", help="Let the running backend do the work.")] = False,
    connection_file: Annotated[Path | None, Option(help="The running backend's; with --connect.")] = None,
) -> None:
    """Turn the faces of rendered pictures into photographs. A picture that fails doesn't stop the others."""
    planned = plan(pictures, output)
    _make_folder(planned[0][1].parent)
    restoration = Restoration(iris=iris, skin=skin, background=background, accessories=accessories)
    settings = Settings(bundle, strength, method, Inversion(refine, tune), restoration)
    wish = Wish(settings, _hints(landmarks, len(planned)), force)
    if connect:
        working = connected(connection_file, jobs, len(planned))
    else:
        working = in_this_process(device, threads, jobs, len(planned), settings, precision)
    with working as crew:
        entries = enhance_all(planned, wish, crew, Room(free_share()))
    if report is not None:
        write_report(report, entries)
    for text in terms(entries):
        print(text, file=sys.stderr)
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
