# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike dataset render`: portraits of one's own characters, for training and measuring."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

if TYPE_CHECKING:
    from lifelike.datasets.rendering.render import Tally

Option = typer.Option
Range = tuple[float, float]

_SECONDS_BETWEEN_LINES = 60.0


def render(
    scenes: Annotated[list[Path], typer.Argument(metavar="SCENE.blend...", help="Scenes with a character each.")],
    output: Annotated[Path, Option("--output", "-o", help="The data set's folder; an unfinished one is continued.")],
    count: Annotated[int, Option(min=1, help="Shots: situations, each rendered in every look.")] = 100,
    seed: Annotated[int | None, Option(min=0, help="Of everything random. [0]")] = None,
    resolution: Annotated[int | None, Option(help="Side of the portraits, pixels. [256]")] = None,
    samples: Annotated[int | None, Option(help="Of Cycles a pixel; 0: the scene's own. [0]")] = None,
    looks: Annotated[str, Option(help="Of the hook's looks, between commas. Default: all.")] = "",
    poses: Annotated[int | None, Option(help="Shots of each person that a hook draws. [1]")] = None,
    yaw: Annotated[Range | None, Option(help="Degrees, > 0: from the subject's left. [-25 25]")] = None,
    pitch: Annotated[Range | None, Option(help="Degrees, > 0: from above. [-10 10]")] = None,
    distance: Annotated[Range | None, Option(help="Metres from camera to face. [0.8 1.7]")] = None,
    focal: Annotated[Range | None, Option(help="mm, where the scene has no landmarks. [50 100]")] = None,
    head_turn: Annotated[
        tuple[float, float, float] | None, Option(help="Most yaw, pitch, roll of the head bone, degrees. [14 5 5]")
    ] = None,
    expressive: Annotated[float | None, Option(help="Share of shots with an expression. [0.7]")] = None,
    expression: Annotated[Range | None, Option(help="How strong, 0 to 1. [0.3 0.95]")] = None,
    expressions: Annotated[
        str | None, Option(help="Regular expression for shape keys. Default: names of expressions.")
    ] = None,
    frames: Annotated[tuple[int, int] | None, Option(help="Of an animation. Default: the scene's range.")] = None,
    ambient: Annotated[Range | None, Option(help="Mean radiance of the surroundings. [0.24 0.5]")] = None,
    key: Annotated[Range | None, Option(help="Strength of the key light. [0.45 0.8]")] = None,
    lit: Annotated[float | None, Option(help="Share of shots with a key light. [0.75]")] = None,
    keep_lights: Annotated[bool, Option("--keep-lights", help="Leave the scene's lights and world alone.")] = False,
    hdri: Annotated[
        list[Path] | None, Option(help="Panoramas (EXR, HDR) or folders of them. Default: Blender's studio lights.")
    ] = None,
    match_exposure: Annotated[
        bool, Option("--match-exposure", help="Expose each look so that the face is as bright as in the first.")
    ] = False,
    hook: Annotated[Path | None, Option(help="Your own Python, run inside Blender; see the documentation.")] = None,
    hook_option: Annotated[list[str] | None, Option(help="NAME=VALUE for the hook.")] = None,
    run_scene_text: Annotated[
        list[str] | None, Option(help="Run this script stored in the scene. Scenes run none by themselves.")
    ] = None,
    licence: Annotated[str, Option(help="Under what terms you use the pictures, for the card.")] = "",
    blender: Annotated[Path | None, Option(help="Blender, or a Python with bpy. Default: LIFELIKE_BLENDER.")] = None,
    jobs: Annotated[int, Option(min=1, help="Blenders at a time.")] = 1,
    shot_timeout: Annotated[float, Option(min=1, help="Seconds after which a shot is given up.")] = 1800.0,
    config: Annotated[Path | None, Option(help="TOML with the same names (head_turn, …); options win.")] = None,
) -> None:
    """Render aligned portraits of your own characters in Blender. Run it again to continue."""
    from lifelike.datasets.rendering.blender import find_blender
    from lifelike.datasets.rendering.plan import RenderPlan
    from lifelike.datasets.rendering.render import render_dataset

    given = {
        "seed": seed, "resolution": resolution, "samples": samples, "poses": poses, "yaw": yaw, "pitch": pitch,
        "distance": distance, "focal": focal, "head_turn": head_turn, "expressive": expressive,
        "expression": expression, "expressions": expressions, "frames": frames, "ambient": ambient, "key": key,
        "lit": lit, "keep_lights": keep_lights or None, "match_exposure": match_exposure or None,
    }  # fmt: skip
    plan = RenderPlan(
        scenes=tuple(scenes),
        settings=_settings(config, given),
        count=count,
        looks=tuple(part.strip() for part in looks.split(",") if part.strip()),
        panoramas=tuple(hdri or ()),
        hook=hook,
        options=_options(hook_option or []),
        texts=tuple(run_scene_text or ()),
    )
    found = find_blender(blender)
    with _shown(f"Blender {found.version}") as show:
        tally = render_dataset(
            plan,
            found,
            output,
            jobs=jobs,
            shot_seconds=shot_timeout,
            command=shlex.join(["lifelike", *sys.argv[1:]]),
            licence=licence,
            on_shot=show,
        )
    _tell(tally, output)


def _settings(config: Path | None, given: dict[str, Any]) -> ShotSettings:
    values: dict[str, Any] = {}
    if config is not None:
        from lifelike.training.settings import read_table

        values = read_table(config)
    return ShotSettings.of_plain(values | {name: value for name, value in given.items() if value is not None})


def _options(given: list[str]) -> dict[str, str]:
    options = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, f"The hook option {text!r} is not NAME=VALUE.", "Write for example first=20."
            )
        options[name] = value
    return options


@contextmanager
def _shown(title: str) -> Iterator[Any]:
    """A bar with the time left on a terminal, a line a minute elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("shots"))
    console = Console(stderr=True)
    times = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=False))
    with Progress(*columns, *times, console=console, disable=not console.is_terminal) as bar:
        row = bar.add_task(title, total=None)
        told = time.monotonic()

        def show(tally: Tally) -> None:
            nonlocal told
            finished = tally.made + sum(tally.reasons.values())
            bar.update(row, total=tally.waiting + finished, completed=finished)
            if not console.is_terminal and time.monotonic() - told > _SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                console.print(f"{title}: {finished} of {tally.waiting + finished} shots", highlight=False)

        yield show


def _tell(tally: Tally, output: Path) -> None:
    console = Console(stderr=True, soft_wrap=True)
    for note in sorted(tally.notes):
        console.print(note, style="yellow", markup=False, highlight=False)
    for reason, number in tally.reasons.most_common():
        console.print(f"Left out, {number} of the shots: {reason}.", markup=False, highlight=False)
    console.print(f"{tally.made} new shots in {output}", markup=False, highlight=False)
