# SPDX-License-Identifier: GPL-3.0-or-later
"""Which figures stand together, and how a figure is written; for the page and the terminal alike."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from rich.table import Table

from lifelike.evaluation.report import Figure, Measure, Report, Subject

PICTURES = ("psnr", "ssim", "lpips", "look", "look_auc", "sharpness", "detail_kept", "drift", "landmark_error")
"""Measures of the picture itself, in the order of their columns; those of whole sets follow."""
WHOLE_SETS = ("fid", "kid")
SHARES = ("look", "rank_one", "rank_one_other_pose")
"""Measures shown in percent."""

HEADLINES = ("cosine", "rank_one", "rank_one_other_pose", "look", "psnr", "ssim", "sharpness", "detail_kept", "drift")
"""The last parts of the keys of measures worth a place among the groups and in the terminal."""


@frozen
class MeasureTable:
    """Measures that stand in one table: its title, a line below it, and the measures as columns."""

    title: str
    note: str
    measures: tuple[Measure, ...]


def measure_tables(report: Report) -> list[MeasureTable]:
    """All measures, one table a family and one for each identity network."""
    known = {measure.key: measure for measure in report.measures}
    pictures = tuple(known[key] for key in (*PICTURES, *WHOLE_SETS) if key in known)
    tables = [MeasureTable("Picture", "", pictures)] if pictures else []
    for embedder in dict.fromkeys(key.split(".")[0] for key in known if "." in key):
        own = tuple(measure for measure in report.measures if measure.key.startswith(f"{embedder}."))
        tables.append(MeasureTable(f"Identity, {own[0].judge}", own[0].judge_note, own))
    return tables


def headline_measures(report: Report) -> list[Measure]:
    """The measures that everything else hangs on."""
    return [measure for measure in report.measures if measure.key.split(".")[-1] in HEADLINES]


def written(measure: Measure, value: float | None) -> str:
    """A value as a person reads it: "29.74 dB", "91.7 %", "0.983"; "–" for none."""
    if value is None:
        return "–"
    if measure.key.split(".")[-1] in SHARES:
        return f"{100 * value:.1f} %"
    unit = f" {measure.unit}" if measure.unit else ""
    return f"{value:.{measure.digits}f}{unit}".replace("-", "−")


def written_interval(measure: Measure, low: float | None, high: float | None) -> str:
    """ "29.1 to 30.3", without the unit; "" for none."""
    if low is None or high is None:
        return ""
    ends = [written(measure, end).removesuffix(f" {measure.unit}" if measure.unit else " %") for end in (low, high)]
    return f"{ends[0]} to {ends[1]}"


def written_share(value: float | None) -> str:
    """A share in whole percent."""
    return "–" if value is None else f"{round(100 * value)} %".replace("-", "−")


def figure_table(report: Report) -> dict[tuple[str, str], Figure]:
    """The figures by subject and measure."""
    return {(figure.subject, figure.measure): figure for figure in report.figures}


def told_apart(report: Report, measures: Sequence[Measure]) -> list[str]:
    """The measures' titles; by several identity networks, with the network's name."""
    if len({measure.judge for measure in report.measures if measure.judge}) < 2:
        return [measure.title for measure in measures]
    return [f"{measure.title} ({measure.judge})" if measure.judge else measure.title for measure in measures]


def terminal_table(report: Report) -> Table:
    """Subjects as columns would be too wide: measures as rows, the bundle, its best-known rivals and the truth."""
    figures = figure_table(report)
    title = f"{report.provenance.bundle}, {report.provenance.method}: {report.provenance.pictures} pictures of "
    table = Table(title=f"{title}{report.provenance.people} people", title_justify="left")
    table.add_column("measure")
    subjects = [subject for subject in report.subjects if subject.role == "bundle" or _rival(subject)]
    for subject in subjects:
        table.add_column(subject.title, justify="right", style="bold" if subject.key == report.main else "")
    measures = headline_measures(report)
    for measure, title in zip(measures, told_apart(report, measures), strict=True):
        cells = []
        for subject in subjects:
            figure = figures.get((subject.key, measure.key))
            text = "" if figure is None else written(measure, figure.value)
            spread = "" if figure is None else written_interval(measure, figure.low, figure.high)
            cells.append(f"{text}\n[dim]{spread}[/dim]" if spread and subject.key == report.main else text)
        table.add_row(title, *cells)
    return table


def _rival(subject: Subject) -> bool:
    return subject.key in ("difference", "decode", "unet", "input", "truth")
