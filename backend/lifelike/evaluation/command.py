# SPDX-License-Identifier: GPL-3.0-or-later
"""What `lifelike evaluate` does, once its command line is read: load, check, measure, write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from attrs import frozen

from lifelike.bundles import Bundle, load_bundle
from lifelike.datasets.dataset import open_dataset
from lifelike.datasets.identities import identity_range, within
from lifelike.datasets.pairs import load_pairs
from lifelike.evaluation.baselines.colour_transfer import ColourTransfer, colour_statistics
from lifelike.evaluation.baselines.paired_unet import PairedUnet
from lifelike.evaluation.evaluate import Progress, evaluate_bundle
from lifelike.evaluation.material import Material, material_of_pairs, material_of_renders
from lifelike.evaluation.page.page import write_page
from lifelike.evaluation.panel import assemble_panel
from lifelike.evaluation.report import Report
from lifelike.evaluation.report_file import write_report
from lifelike.evaluation.subjects import Producer
from lifelike.execution.acceleration import Acceleration
from lifelike.execution.precision import Precision
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

EVERYBODY = "all"


@frozen
class Wish:
    """Everything the command line says; the fields are its options."""

    bundle: str
    folder: Path
    pairs: tuple[Path, ...]
    renders: Path | None
    identities: str
    method: Method
    strength: float
    embedders: tuple[str, ...]
    baselines: tuple[str, ...]
    lpips: Path | None
    inception: Path | None
    allow_downloads: bool
    seed: int
    resamples: int
    batch: int
    cache: Path | None
    device: str
    command: str


def carry_out(wish: Wish, progress: Progress) -> Report:
    """Evaluate and write report.html, report.json and sheet.png.

    Raises:
        LifelikeError: one sentence about whatever is wrong, before any work starts.
    """
    _check_folder(wish.folder)
    bundle = load_bundle(wish.bundle, wish.device)
    acceleration = Acceleration(bundle, Precision.FP32)  # whose figures are the same on every machine
    named = [_baseline(text, bundle, wish.device) for text in wish.baselines]
    panel = assemble_panel(bundle, wish.embedders, wish.lpips, wish.inception, wish.allow_downloads)
    material, producers = _material(wish, bundle)
    producers += named

    def report_progress(done: int, total: int) -> None:
        acceleration.refresh()
        progress(done, total)

    report = evaluate_bundle(
        bundle,
        material,
        panel,
        method=wish.method,
        strength=wish.strength,
        baselines=producers,
        seed=wish.seed,
        resamples=wish.resamples,
        batch=wish.batch,
        progress=report_progress,
        data=[_described(folder) for folder in (wish.pairs or (wish.renders,)) if folder is not None],
        identities=wish.identities,
        command=wish.command,
    )
    write_report(report, wish.folder / "report.json")
    write_page(report, bundle, material, producers, wish.folder)
    return report


def _material(wish: Wish, bundle: Bundle) -> tuple[Material, list[Producer]]:
    """What is evaluated on, and the baselines that need no training of their own."""
    ranges = None if wish.identities == EVERYBODY else identity_range(wish.identities)
    resolution = bundle.card.resolution
    if wish.renders is not None:
        return material_of_renders(open_dataset(wish.renders), resolution, ranges, wish.cache), []
    pairs = load_pairs(wish.pairs, resolution, wish.cache)
    keep = None if ranges is None else within(pairs.identity, ranges)
    statistics = colour_statistics(pairs, ~keep) if keep is not None and not keep.all() else None
    return material_of_pairs(pairs, keep), [ColourTransfer(statistics)]


def _baseline(text: str, bundle: Bundle, device: str) -> Producer:
    name, equals, source = text.partition("=")
    if name != "unet" or not equals or not source:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The baseline {text!r} is not understood.",
            "Write --baseline unet=RUN with the folder of `lifelike train unet`.",
        )
    return PairedUnet(Path(source).expanduser(), bundle.card.resolution, device)


def _described(folder: Path) -> dict[str, Any]:
    """What the provenance says of a data set."""
    dataset = open_dataset(folder)
    card: dict[str, Any] = {key: dataset.card[key] for key in ("name", "licence") if key in dataset.card}
    return {"folder": folder.resolve().name, "pictures": len(dataset), **card}


def _check_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".lifelike-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The report's folder {folder} cannot be written ({error.strerror}).",
            "Choose another --report folder.",
        ) from error
