# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train KIND`: one training run in one folder."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from lifelike.commands.train_extra import check_installed, missing_package
from lifelike_protocol.errors import ErrorCode, LifelikeError

KINDS = {
    "photo": "lifelike.training.photo.task:PhotoTask",
    "render": "lifelike.training.render.task:RenderTask",
    "encoder": "lifelike.training.encoder.task:EncoderTask",
    "pair": "lifelike.training.pair.task:PairTask",
    "identity": "lifelike.training.identity.task:IdentityTask",
    "landmarks": "lifelike.training.landmarks.task:LandmarksTask",
    "look": "lifelike.evaluation.look_classifier.task:LookTask",
    "unet": "lifelike.evaluation.unet.task:UnetTask",
}
"""Each kind of training and the class that provides it, imported only when it is asked for."""
SIGNAL_STATUS = {"Ctrl-C": 130, "SIGTERM": 143}
"""Exit statuses, as shells have them: what was to come after the training in a script shall not start."""
TRAIN_EXTRA = ("lightning_fabric", "tensorboard")


def train(
    kind: Annotated[str, typer.Argument(help=f"What to train: {', '.join(KINDS)}.")],
    run: Annotated[Path, typer.Option(help="Folder of the run; continued where one was begun.")],
    config: Annotated[Path | None, typer.Option(help="Settings (TOML); else the run's own, or the defaults.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", help="table.key=value, as often as needed.")] = None,
    stop_after: Annotated[float | None, typer.Option(help="Minutes, after which the run is left as it stands.")] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the settings and train nothing.")] = False,
) -> None:
    """Train a network. The same command continues a run that was stopped, however it was stopped."""
    task_class = find_kind(kind)
    from lifelike.training.run import run_task
    from lifelike.training.run_folder import CONFIG
    from lifelike.training.settings import read_settings, settings_text

    if config is None and (run / CONFIG).exists():
        config = run / CONFIG
    settings = read_settings(task_class.settings_class, config, changes or [])
    if show:
        print(settings_text(settings), end="")
        return
    reason = run_task(task_class, settings, run, Console(), stop_after)
    if reason in SIGNAL_STATUS:
        raise typer.Exit(SIGNAL_STATUS[reason])


def find_kind(kind: str) -> Any:
    """The task class of a kind.

    Raises:
        LifelikeError: INVALID_SETTING for an unknown kind, or where the packages for training are not installed.
    """
    if kind not in KINDS:
        what = f"There is no kind of training {kind!r}."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, f"Choose among {', '.join(KINDS)}.")
    module, _, name = KINDS[kind].partition(":")
    try:
        check_installed(TRAIN_EXTRA, "training")
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "lifelike":
            raise
        raise missing_package(error, "training") from error
