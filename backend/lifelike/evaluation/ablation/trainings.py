# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainings of an ablation, each in a run folder of its own, and the bundle that comes of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from rich.console import Console

from lifelike.bundles import Bundle
from lifelike.bundles.assembly import assemble_bundle
from lifelike.evaluation.ablation.settings import AblationSettings
from lifelike.evaluation.ablation.variants import (
    Variant,
    encoder_settings,
    photo_settings,
    render_settings,
)
from lifelike.networks.weights import save_weights
from lifelike.training.encoder.task import EncoderTask
from lifelike.training.networks import load_encoder, load_generator, load_identity
from lifelike.training.photo.task import PhotoTask
from lifelike.training.render.task import RenderTask
from lifelike.training.run import run_task
from lifelike.training.stopping import MINUTES_OVER
from lifelike.training.task import Task
from lifelike_protocol.messages import Method


class Stopped(Exception):
    """A training was left before its end; the message is the reason, as `run_task` gives it."""


class Trainings:
    """Trains what is not trained yet; a finished run is only looked at.

    Args:
        folder: of the ablation. stop_after: minutes for all of it together, None: no limit.
    """

    def __init__(self, folder: Path, console: Console, stop_after: float | None) -> None:
        self.folder, self.console = folder, console
        self.until = None if stop_after is None else time.monotonic() + 60 * stop_after

    def photo(self, settings: AblationSettings) -> str:
        """The photo generator's source: the one that is named, or the folder of its training.

        Raises:
            Stopped: before its end. LifelikeError: as `run_task`.
        """
        if settings.generator:
            return settings.generator
        folder = self.folder / "photo"
        self._run(PhotoTask, photo_settings(settings), folder, "photo generator")
        return str(folder)

    def bundle(self, variant: Variant, generator: str) -> Bundle:
        """A variant's bundle, after its fine-tuning and its encoder; errors as `photo`."""
        render, encoder = variant.folder / "render", variant.folder / "encoder"
        self._run(RenderTask, render_settings(variant.settings, generator), render, variant.name)
        settings = variant.settings
        if not settings.render.freezing.mapping:
            render = with_parents_mapping(generator, render, variant.folder / "render.safetensors")
        self._run(EncoderTask, encoder_settings(settings, generator, render), encoder, variant.name)
        return assemble_bundle(
            load_generator(generator),
            load_generator(render, "render"),
            load_encoder(encoder),
            load_identity(settings.identity) if settings.identity else None,
            name=variant.name,
            description=f"A variant of an ablation: {', '.join(variant.changes) or 'nothing changed'}.",
            licence="",
            method=Method(settings.method),
        )

    def _run(self, task: type[Task], settings: Any, folder: Path, name: str) -> None:
        left = None if self.until is None else (self.until - time.monotonic()) / 60
        if left is not None and left <= 0:
            raise Stopped(MINUTES_OVER)
        self.console.print(f"{name}: {task.kind}", highlight=False, markup=False)
        reason = run_task(task, settings, folder, self.console, left)
        if reason:
            raise Stopped(reason)


def with_parents_mapping(generator: str, render: Path, file: Path) -> Path:
    """The render generator with the photo generator's mapping network, written to `file`.

    W+ codes pass the mapping network by; one that was set free is needed no more after the fine-tuning, and a bundle
    has but one.
    """
    child = load_generator(render, "render")
    child.mapping = load_generator(generator).mapping
    save_weights(file, child, "generator", {})
    return file
