# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills the template: what stands on the page and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from attrs import frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lifelike.bundles.bundle import Bundle
from lifelike.evaluation.material import Material
from lifelike.evaluation.page.cases import CaseList, case_lists
from lifelike.evaluation.page.plots import group_plot, histogram_plot, spectrum_plot, subject_plot
from lifelike.evaluation.report import Comparison, Measure, Report
from lifelike.evaluation.report_file import write_text
from lifelike.evaluation.sheet import draw_sheet
from lifelike.evaluation.subjects import BundleProducer, Producer
from lifelike.evaluation.tables import (
    figure_table,
    headline_measures,
    measure_tables,
    told_apart,
    written,
    written_interval,
    written_share,
)
from lifelike_protocol.messages import Method

TEMPLATE = "report.html.jinja"


@frozen
class Headline:
    """One large number at the top: what it is, the number, its interval, and a line to set beside it."""

    title: str
    value: str
    interval: str
    beside: str


def write_page(report: Report, bundle: Bundle, material: Material, baselines: Sequence[Producer], folder: Path) -> None:
    """Write report.html, which needs no other file and no network, and sheet.png.

    Args:
        bundle, material, baselines: as they were evaluated, to make the pictures again.
    """
    producers = [BundleProducer(bundle, [Method(report.main)], report.provenance.strength), *baselines]
    write_text(folder / "report.html", render_page(report, case_lists(report, material, producers)))
    draw_sheet(material, producers, report.main, folder / "sheet.png")


def render_page(report: Report, cases: Sequence[CaseList]) -> str:
    """The page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(written=written, interval=written_interval, share=written_share)
    headlines = headline_measures(report)
    return environment.get_template(TEMPLATE).render(
        report=report,
        provenance=report.provenance,
        figures=figure_table(report),
        tables=measure_tables(report),
        headlines=_headlines(report),
        plots=_plots(report),
        spectrum=_markup(spectrum_plot(report)),
        histograms=_histograms(report),
        group_measures=list(zip(headlines, told_apart(report, headlines), strict=True)),
        group_rows=_group_rows(report, headlines),
        group_plots=[_markup(plot) for measure in headlines if (plot := group_plot(report, measure)) is not None],
        gaps=_gaps(report, headlines),
        comparisons=_comparisons(report, headlines),
        case_lists=cases,
        titles={subject.key: subject.title for subject in report.subjects},
    )


def _markup(svg: str | None) -> Markup | None:
    """Our own drawing, to be put in as it is."""
    return None if svg is None else Markup(svg)


def _headlines(report: Report) -> list[Headline]:
    figures = figure_table(report)
    found = []
    measures = headline_measures(report)
    for measure, title in zip(measures, told_apart(report, measures), strict=True):
        figure = figures.get((report.main, measure.key))
        if figure is None:
            continue
        others = [
            f"{name} {written(measure, other.value)}"
            for key, name in (("input", "input"), ("truth", "truth"))
            if (other := figures.get((key, measure.key))) is not None
        ]
        spread = written_interval(measure, figure.low, figure.high)
        found.append(Headline(title, written(measure, figure.value), spread, ", ".join(others)))
    return found + _gains(report)


def _gains(report: Report) -> list[Headline]:
    """The gain over the untouched input, and its share of the U-Net's."""
    psnr = next((measure for measure in report.measures if measure.key == "psnr"), None)
    if psnr is None:
        return []
    found = []
    for comparison in report.comparisons:
        if comparison.measure != "psnr":
            continue
        if comparison.against == "input":
            value = f"{comparison.difference:+.2f} dB".replace("-", "−")
            spread = written_interval(psnr, comparison.low, comparison.high)
            found.append(Headline("PSNR gain over the input", value, spread, ""))
        elif comparison.against == "unet" and comparison.share is not None:
            ends = f"{written_share(comparison.share_low)} to {written_share(comparison.share_high)}"
            found.append(Headline("of the U-Net's PSNR gain", written_share(comparison.share), ends, ""))
    return found


def _plots(report: Report) -> list[tuple[str, list[Markup]]]:
    """By table: its title and the plots of its measures."""
    found = []
    for table in measure_tables(report):
        plots = [Markup(plot) for measure in table.measures if (plot := subject_plot(report, measure))]
        if plots:
            found.append((table.title, plots))
    return found


def _histograms(report: Report) -> list[Markup]:
    """Of the main subject and the untouched input, for each identity network."""
    titles = {subject.key: subject.title for subject in report.subjects}
    wanted = [h for h in report.histograms if h.subject in (report.main, "input")]
    wanted.sort(key=lambda h: (h.embedder, h.subject != report.main))
    judges = {measure.key.partition(".")[0]: measure.judge for measure in report.measures}
    return [Markup(histogram_plot(h, f"{titles[h.subject]}, {judges[h.embedder]}")) for h in wanted]


def _group_rows(report: Report, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """The main subject's figures: one row a group, one cell a measure."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in report.groups:
        if entry.figure.subject == report.main:
            key = (entry.division, entry.group)
            row = rows.setdefault(
                key, {"division": entry.division, "group": entry.group, "people": entry.figure.people, "cells": {}}
            )
            row["cells"][entry.figure.measure] = entry.figure
    return [row for row in rows.values() if any(measure.key in row["cells"] for measure in measures)]


def _gaps(report: Report, measures: Sequence[Measure]) -> list[dict[str, Any]]:
    """For each measure, the division in which the main subject's worst group lies furthest behind."""
    found = []
    for measure, title in zip(measures, told_apart(report, measures), strict=True):
        own = [gap for gap in report.gaps if gap.subject == report.main and gap.measure == measure.key]
        if own:
            gap = max(own, key=lambda gap: gap.shortfall)
            spread = "" if gap.low is None else f"{written_share(gap.low)} to {written_share(gap.high)}"
            found.append({"title": title, "gap": gap, "spread": spread})
    return found


def _comparisons(report: Report, measures: Sequence[Measure]) -> list[tuple[str, Measure, list[Comparison]]]:
    found = []
    for measure, title in zip(measures, told_apart(report, measures), strict=True):
        own = [comparison for comparison in report.comparisons if comparison.measure == measure.key]
        if own:
            found.append((title, measure, own))
    return found
