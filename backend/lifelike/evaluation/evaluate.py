# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation of one bundle: pictures go by in batches, every judge looks at every subject, figures come out.

No more than a batch of pictures is held beside the data itself; what is kept of a picture are its numbers and
embeddings. The pictures on the report's page are made again.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lifelike.bundles.bundle import Bundle
from lifelike.datasets.pairs import Pairs
from lifelike.evaluation.bootstrap import draws
from lifelike.evaluation.figures import (
    comparison_figures,
    figures_of,
    gap_figures,
    group_figures,
    picture_values,
)
from lifelike.evaluation.groups import divisions
from lifelike.evaluation.judging.drift import LANDMARK_ERROR
from lifelike.evaluation.judging.judge import Judge, Verdict
from lifelike.evaluation.material import INPUT, TRUTH, Batch, Material, Pictures, material_of_pairs
from lifelike.evaluation.panel import Panel, assemble_panel
from lifelike.evaluation.report import Measure, Missing, Provenance, Report, Subject
from lifelike.evaluation.subjects import TRUE_PHOTO, UNTOUCHED, BundleProducer, Producer
from lifelike.training.run_folder import installed_versions
from lifelike.transfer import Transfer
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

RESAMPLES = 1000  # Efron and Tibshirani 1993: enough for percentile intervals
BATCH = 8

Progress = Callable[[int, int], None]
"""Pictures done, pictures in all."""


def evaluate_bundle(
    bundle: Bundle,
    pictures: Pairs | Material,
    panel: Panel | None = None,
    *,
    method: Method = Method.BUNDLE,
    strength: float = 1.0,
    baselines: Sequence[Producer] = (),
    seed: int = 0,
    resamples: int = RESAMPLES,
    batch: int = BATCH,
    progress: Progress = lambda done, total: None,
    data: Sequence[dict[str, Any]] = (),
    identities: str = "",
    command: str = "",
) -> Report:
    """Measure a bundle, and baselines beside it.

    Args:
        bundle: of the pictures' resolution.
        pictures: pairs, every one of which is measured (so: the reserved ones), or renders as a `Material`.
        panel: who judges; None assembles everything at hand.
        method: what a user of the bundle gets; BUNDLE takes its card's. The other method is shown as a baseline.
        strength: 0…1.
        baselines: further producers, e.g. `ColourTransfer`, `PairedUnet`.
        seed, resamples: of the bootstrap.
        batch: pictures at a time.
        data, identities, command: for the provenance.

    Raises:
        LifelikeError: INVALID_SETTING for pictures of another resolution, a bundle without anything to measure, or a
            setting out of range; INVALID_FILE for no pictures.
    """
    material = material_of_pairs(pictures) if isinstance(pictures, Pairs) else pictures
    _check(bundle, material, strength, resamples)
    panel = assemble_panel(bundle) if panel is None else panel
    chosen = Transfer(bundle).method(method)
    others = () if bundle.single else (Method.DIFFERENCE, Method.DECODE)
    ways = [chosen, *(way for way in others if way is not chosen)]
    producers: list[Producer] = [BundleProducer(bundle, ways, strength), *baselines]
    judges = panel.judges(material.truths is not None)
    for part in material.batches(batch):
        shown = show(part, producers)
        for judge in judges:
            judge.see(part, shown)
        progress(part.start + len(part), len(material))
    verdicts = [judge.verdict(material) for judge in judges]
    provenance = Provenance(
        bundle=bundle.card.name,
        sha256=bundle.sha256,
        method=chosen.value,
        strength=strength,
        resolution=material.resolution,
        data=tuple(dict(entry) for entry in data),
        identities=identities,
        pictures=len(material),
        people=material.people,
        seed=seed,
        resamples=resamples,
        judges=panel.described,
        versions=installed_versions(),
        command=command,
        date=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    )
    subjects = _subjects(producers, material)
    missing = panel.missing if material.truths is not None else [gone for gone in panel.missing if not gone.needs_truth]
    return _conclude(provenance, chosen.value, subjects, judges, verdicts, material, missing)


def show(part: Batch, producers: Iterable[Producer]) -> dict[str, Pictures]:
    """A batch as every subject shows it, the input and, where known, the truth among them."""
    shown = {INPUT: part.inputs}
    if part.truths is not None:
        shown[TRUTH] = part.truths
    for producer in producers:
        shown |= producer.make(part)
    return shown


def _check(bundle: Bundle, material: Material, strength: float, resamples: int) -> None:
    bundle.needed_encoder()
    if material.resolution != bundle.card.resolution:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The pictures have {material.resolution} pixels, and the bundle {bundle.card.resolution}.",
            "Load the data set at the bundle's resolution.",
        )
    if not 0.0 <= strength <= 1.0:
        what = f"Strength must lie in 0…1, not at {strength}."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Choose a value between.")
    if resamples < 100:
        what = f"{resamples} resamples are too few for 95 % intervals."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Choose 100 or more; 1000 is usual.")


def _subjects(producers: Iterable[Producer], material: Material) -> tuple[Subject, ...]:
    """In the order of the tables: the bundle, the baselines, the references."""
    made = [subject for producer in producers for subject in producer.subjects]
    made += [UNTOUCHED] if material.truths is None else [UNTOUCHED, TRUE_PHOTO]
    order = {"bundle": 0, "baseline": 1, "reference": 2}
    return tuple(sorted(made, key=lambda subject: order[subject.role]))


def _conclude(
    provenance: Provenance,
    main: str,
    subjects: tuple[Subject, ...],
    judges: Sequence[Judge],
    verdicts: Sequence[Verdict],
    material: Material,
    missing: Sequence[Missing],
) -> Report:
    """Figures with intervals, groups, gaps and comparisons from the judges' verdicts."""
    measures = tuple(measure for judge in judges for measure in judge.measures)
    statistics = {key: value for verdict in verdicts for key, value in verdict.statistics.items()}
    values = {key: value for verdict in verdicts for key, value in verdict.values.items()}
    resampled = draws(material.people, provenance.resamples, provenance.seed)
    found = divisions(material.person_attributes())
    figures = figures_of(statistics, resampled)
    measured = {figure.measure for figure in figures}
    groups = group_figures(statistics, found, resampled)
    return Report(
        provenance=provenance,
        main=main,
        subjects=subjects,
        measures=tuple(measure for measure in measures if measure.key in measured),
        figures=figures,
        groups=groups,
        gaps=gap_figures(statistics, found, resampled, measures),
        comparisons=comparison_figures(statistics, main, resampled, measures),
        spectra=tuple(spectrum for verdict in verdicts for spectrum in verdict.spectra),
        histograms=tuple(histogram for verdict in verdicts for histogram in verdict.histograms),
        missing=(*missing, *unmeasured(measures, measured, material, bool(found))),
        pictures=picture_values(material.names, material.person, values),
    )


def unmeasured(
    measures: Sequence[Measure], measured: set[str], material: Material, grouped: bool
) -> tuple[Missing, ...]:
    """What the data did not allow to measure, each once."""
    found = []
    if material.truths is None:
        title = "PSNR, SSIM, LPIPS, FID, KID and sharpness beside the truth"
        found.append(Missing(title, "Renders alone have no truth.", "Give a data set with both looks with --pairs."))
    if not grouped:
        why = "The data set states no gender, age or ethnicity, or all people are of one group."
        found.append(Missing("figures by group", why, "Use a data set whose index has these attributes."))
    for measure in measures:
        if measure.key in measured:
            continue
        why, remedy = (
            ("The data set states no landmarks.", "Use one made by `lifelike dataset render` or `dataset prepare`.")
            if measure.key == LANDMARK_ERROR
            else ("It needs several people with several pictures each.", "Use a data set that has them.")
        )
        found.append(Missing(measure.title, why, remedy))
    return tuple(dict.fromkeys(found))


def worst_pictures(report: Report, measure: str, count: int) -> NDArray[np.int64]:
    """Indices of the main subject's pictures that come out worst in a measure, worst first; NaN is never among them."""
    better = next(m.better for m in report.measures if m.key == measure)
    values = np.array([np.nan if v is None else v for v in report.pictures.values[measure][report.main]], np.float64)
    badness = values if better == "lower" else -values
    order = np.argsort(-badness, kind="stable")
    return order[np.isfinite(values[order])][:count]
