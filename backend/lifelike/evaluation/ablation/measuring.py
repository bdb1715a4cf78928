# SPDX-License-Identifier: GPL-3.0-or-later
"""A variant's bundle, measured on the people its trainings never saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lifelike.bundles import Bundle
from lifelike.datasets.identities import identity_range, within
from lifelike.datasets.pairs import load_pairs
from lifelike.evaluation.ablation.refined import REFINED, RefinedProducer
from lifelike.evaluation.ablation.settings import AblationSettings
from lifelike.evaluation.ablation.variants import Variant
from lifelike.evaluation.evaluate import evaluate_bundle
from lifelike.evaluation.material import Material, material_of_pairs
from lifelike.evaluation.panel import assemble_panel
from lifelike.evaluation.report import Report
from lifelike.evaluation.report_file import read_report, write_report
from lifelike.evaluation.subjects import Producer
from lifelike_protocol.errors import LifelikeError
from lifelike_protocol.messages import Method


def reserved_material(settings: AblationSettings, resolution: int) -> Material:
    """The reserved people's pairs, as many as wanted.

    Raises:
        LifelikeError: as `load_pairs`; INVALID_FILE where nobody is reserved.
    """
    cache = Path(settings.data.cache) if settings.data.cache else None
    pairs = load_pairs([Path(folder) for folder in settings.data.folders], resolution, cache)
    keep = within(pairs.identity, identity_range(settings.data.reserved))
    if settings.pictures and keep.sum() > settings.pictures:
        rows = np.flatnonzero(keep)[np.linspace(0, keep.sum() - 1, settings.pictures).astype(np.int64)]
        keep = np.isin(np.arange(len(keep)), rows)
    return material_of_pairs(pairs, keep)


def measured(variant: Variant, bundle: Bundle, material: Material, file: Path) -> Report:
    """The report of a variant, read from `file` where the same bundle was measured on as many pictures before."""
    method = variant.settings.method
    try:
        report = read_report(file)
        done = (report.provenance.sha256, report.provenance.pictures, report.provenance.method)
        if done == (bundle.sha256, len(material), method) and report.has("psnr", main_subject(variant)):
            return report
    except LifelikeError:
        pass  # there is none yet
    producers = [refined_producer(variant, bundle)] if variant.settings.refine_steps else []
    report = evaluate_bundle(
        bundle,
        material,
        assemble_panel(bundle),
        method=Method(method),
        baselines=producers,
        identities=variant.settings.data.reserved,
    )
    write_report(report, file)
    return report


def refined_producer(variant: Variant, bundle: Bundle) -> Producer:
    """Makes the refined pictures of a variant that refines."""
    return RefinedProducer(bundle, Method(variant.settings.method), variant.settings.refine_steps)


def main_subject(variant: Variant) -> str:
    """Key of the subject that stands for the variant."""
    return REFINED if variant.settings.refine_steps else variant.settings.method
