# SPDX-License-Identifier: GPL-3.0-or-later
"""Owns the bundles and their pipelines, and turns a frame into a result. Used by the server and the command line."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from attrs import frozen

from lifelike.bundles import Bundle, find_bundle, load_bundle
from lifelike.bundles.file import weights_file
from lifelike.devices import choose_device, give_memory_back
from lifelike.execution.acceleration import Acceleration
from lifelike.execution.library import THIS_PROCESS
from lifelike.execution.precision import Precision
from lifelike.execution.probe import choose_precision
from lifelike.faces import pretrained_landmarks
from lifelike.failures import is_out_of_memory, out_of_memory
from lifelike.pipeline import Listener, Pipeline
from lifelike_protocol.messages import PROTOCOL_VERSION, Frame, Provenance, Result, Settings, Stage

Report = Callable[[Stage, float], None]

PACKAGES = ("lifelike", "torch", "numpy", "pyzmq", "safetensors")

LONGEST_TERMS = 8192
"""Characters: a card may hold more than a message's header has room for."""

log = logging.getLogger(__name__)


@cache
def versions() -> dict[str, str]:
    """The versions of what makes a result, by package name; "protocol" among them."""
    found = {"protocol": str(PROTOCOL_VERSION)}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


@frozen
class LoadedBundle:
    """A bundle in memory, and the state of its file when it was read (`modified`: nanoseconds)."""

    name: str
    path: Path
    modified: int
    bundle: Bundle
    pipeline: Pipeline
    acceleration: Acceleration


class Worker:
    """Keeps one bundle loaded. Several threads may work, each on a frame of its own.

    Args:
        device: "auto", "cpu" or "cuda".
        precision: of the networks.

    Raises:
        LifelikeError: INVALID_SETTING when the device isn't there, or is slower with that precision than with fp32.
    """

    def __init__(self, device: str = "auto", precision: Precision = Precision.AUTO) -> None:
        self.device, self.precision = choose_device(device), precision
        if precision is not Precision.AUTO:
            choose_precision(precision, self.device, THIS_PROCESS.kernels() if self.device == "cpu" else None)
        # One bundle at a time: two would not share a small GPU with Cycles.
        self._loaded: LoadedBundle | None = None
        self._loading = threading.Lock()

    @property
    def loaded_bundles(self) -> tuple[str, ...]:
        """Names of the bundles in memory."""
        loaded = self._loaded
        return (loaded.name,) if loaded else ()

    def work(
        self, job: str, frame: Frame, settings: Settings, report: Report, listener: Listener | None = None
    ) -> Result:
        """Run the pipeline on `frame`.

        Args:
            job: the name the result carries.
            frame: the picture, (H, W, 3 or 4).
            settings: strength, bundle and method.
            report: called with the stage and the fraction 0…1; what it raises ends the work.
            listener: hears of the inversion's error and gets the preview.

        Raises:
            LifelikeError: UNKNOWN_BUNDLE, INVALID_BUNDLE, NO_FACE, OUT_OF_MEMORY, or what `report` raised.
        """
        started = time.perf_counter()
        try:
            bundle, pipeline = self._pipeline(settings.bundle, report)
            outcome = pipeline.run(frame, settings, report, listener)
        except Exception as error:
            if is_out_of_memory(error):
                # The traceback keeps the pipeline's arrays alive; let go of it before giving memory back.
                log.warning("out of memory", exc_info=error)
                error.__traceback__ = None
                self.unload()
                raise out_of_memory() from None
            raise
        timings = dict(outcome.timings)
        timings.setdefault("total", time.perf_counter() - started)
        made_by = provenance(bundle, settings, self.device)
        return Result(job, outcome.pixels, frame.encoding, outcome.faces, timings, made_by)

    def _pipeline(self, name: str, report: Report) -> tuple[Bundle, Pipeline]:
        path = find_bundle(name)
        modified = _modified(path)
        with self._loading:
            loaded = self._loaded
            # A bundle that was trained or imported again under the same name is loaded again.
            if loaded is None or (loaded.name, loaded.path, loaded.modified) != (name, path, modified):
                report(Stage.LOADING, 0.0)
                self.unload()
                log.info("loading bundle %s on %s", name, self.device)
                bundle = load_bundle(name, self.device)
                acceleration = Acceleration(bundle, self.precision)
                self._loaded = loaded = LoadedBundle(name, path, modified, bundle, Pipeline(bundle), acceleration)
            loaded.acceleration.refresh()
            return loaded.bundle, loaded.pipeline

    def unload(self) -> None:
        """Drop the loaded bundle and give its memory back."""
        if self._loaded is not None:
            log.info("unloading bundle %s", self._loaded.name)
        self._loaded = None
        pretrained_landmarks.release()
        give_memory_back()


def provenance(bundle: Bundle, settings: Settings, device: str) -> Provenance:
    """What a result is to tell of how it was made, and of the terms it is under."""
    card = bundle.card
    return Provenance(
        bundle=card.name,
        bundle_sha256=bundle.sha256,
        settings=settings,
        device=device,
        versions=dict(versions()),
        licence=card.licence[:LONGEST_TERMS],
        non_commercial=card.non_commercial,
        citation=card.citation[:LONGEST_TERMS],
    )


def _modified(path: Path) -> int:
    """When the weights of a bundle were last written, nanoseconds; 0 where there are none, which loading explains."""
    try:
        return weights_file(path).stat().st_mtime_ns
    except OSError:
        return 0
