# SPDX-License-Identifier: GPL-3.0-or-later
"""From a name of the list to a file, or to a bundle: terms, consent, download, import."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from lifelike.bundles.file import read_card
from lifelike.bundles.public.download import download
from lifelike.bundles.public.entry import Part, PublicFile, PublicSet
from lifelike.bundles.public.space import check_space
from lifelike.bundles.registry import user_folder
from lifelike.commands.bundles_import import checked_name, import_weights
from lifelike.commands.bundles_published import print_terms
from lifelike_protocol.errors import ErrorCode, LifelikeError

STOPPED = 130
"""Exit status after Ctrl-C, as shells have it."""


def fetch_file(file: PublicFile, place: Path, accepted: bool) -> None:
    """One file into the folder `place`; its path is printed, and what to do with it.

    Raises:
        LifelikeError: as `download` does; INVALID_SETTING when nobody accepts the terms. typer.Exit: on Ctrl-C.
    """
    _ask([file], accepted)
    check_space(place, _missing_bytes([file], place))
    with _stoppable(), _progress_bar() as bar:
        path = download(file, place, _shown(bar, file))
    print(path)
    print(f"Next: {import_command({file.part: path}, 'NAME')}")


def fetch_set(wanted: PublicSet, place: Path, name: str, accepted: bool) -> None:
    """Every file of a set, and a bundle of them.

    A file that cannot be had is told, and the bundle made without it, unless it is the generator: run again, it is
    completed.

    Raises:
        LifelikeError: as `download` and the import do; INVALID_SETTING when nobody accepts the terms; INVALID_FILE
            when there is another bundle of that name.
        typer.Exit: on Ctrl-C, or when something is missing in the bundle.
    """
    begun = _made_of(wanted, user_folder() / f"{checked_name(name)}.safetensors")
    if len(begun) == len(wanted.files):
        print(f"The bundle {name} is there already, with everything of {wanted.name}.")
        return
    _ask(wanted.files, accepted)
    check_space(place, _missing_bytes(wanted.files, place))
    paths, failed = {}, False
    with _stoppable(), _progress_bar() as bar:
        for file in wanted.files:
            try:
                paths[file.part] = download(file, place, _shown(bar, file))
            except LifelikeError as error:
                if file.part is Part.PHOTO:
                    raise
                bar.console.print(str(error), style="red", markup=False, soft_wrap=True)
                failed = True
    import_weights(
        photo=paths[Part.PHOTO],
        encoder=paths.get(Part.ENCODER),
        identity=paths.get(Part.IDENTITY),
        name=name,
        description=wanted.what,
        replace=bool(begun),
    )
    if failed:
        print(f"Something is missing in it (see above); `lifelike bundles download {wanted.name}` completes it.")
        raise typer.Exit(1)


def _made_of(wanted: PublicSet, bundle: Path) -> set[str]:
    """The set's files, by SHA-256, that the bundle there was made of; empty where there is no bundle.

    Raises:
        LifelikeError: INVALID_FILE for a bundle of anything else, which must not be written over.
    """
    if not bundle.exists():
        return set()
    used = {str(source.get("sha256")) for source in read_card(bundle).sources}
    if not used or not used <= {file.sha256 for file in wanted.files}:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"There is another bundle called {bundle.stem}.",
            "Say --name for another name, or remove that one: lifelike bundles remove.",
        )
    return used


def import_command(paths: dict[Part, Path], name: str) -> str:
    """The command that makes a bundle of these files, as a person types it."""
    options = [f"--{part.value} {shlex.quote(str(path))}" for part, path in paths.items()]
    if Part.PHOTO not in paths:
        options.insert(0, "--photo FILE")
    return f"lifelike bundles import {' '.join(options)} --name {name}"


def _ask(files: Sequence[PublicFile], accepted: bool) -> None:
    """Show the terms; return when the person accepts them.

    Raises:
        LifelikeError: INVALID_SETTING when nobody can be asked. typer.Abort: they don't.
    """
    print_terms(files)
    if accepted:
        return
    if not sys.stdin.isatty():
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            "These terms have to be accepted first, and there is nobody to ask.",
            "Read them, and say --accept-license.",
        )
    typer.confirm("Do you accept these terms?", abort=True, err=True)


def _missing_bytes(files: Sequence[PublicFile], place: Path) -> int:
    return sum(file.size for file in files if not (place / file.file_name).exists())


@contextmanager
def _stoppable() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print("Stopped. What has come so far is kept; run this again to go on.", file=sys.stderr)
        raise typer.Exit(STOPPED) from None


@contextmanager
def _progress_bar() -> Iterator[Progress]:
    columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True)) as bar:
        yield bar


def _shown(bar: Progress, file: PublicFile) -> Callable[[int, int], None]:
    task = bar.add_task(file.file_name, total=file.size or None)
    return lambda here, total: bar.update(task, completed=here, total=total or None)
