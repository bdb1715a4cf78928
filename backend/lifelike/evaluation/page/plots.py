# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's plots as SVG to be put into the page: transparent, text in the page's own colour and font."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure as Canvas

from lifelike.evaluation.report import GroupFigure, Histogram, Measure, Report
from lifelike.evaluation.spectrum import FINE
from lifelike.evaluation.tables import SHARES, figure_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

INK = "#123456"
"""Stands for the text's colour until the plot is in the page."""
COLOURS = {"bundle": "#e8590c", "baseline": "#4c8dd6", "reference": "#8a8f98"}
"""Readable on white and on black."""
LINES = {"input": "#8a8f98", "truth": "#2f9e6e", "unet": "#9c6ade", "decode": "#4c8dd6", "difference": "#4c8dd6"}
SAME, DIFFERENT = "#2f9e6e", "#8a8f98"

_STYLE: Any = {
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "lifelike",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.axisbelow": True,
    "grid.color": INK,
    "grid.alpha": 0.15,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "legend.frameon": False,
}


@contextmanager
def _plot(width: float, height: float) -> Iterator[tuple[Canvas, Axes]]:
    with matplotlib.rc_context(_STYLE):
        canvas = Canvas(figsize=(width, height), layout="constrained")
        yield canvas, canvas.subplots()


def to_svg(canvas: Canvas, label: str) -> str:
    """The drawing as an element of the page, without anything that points out of it."""
    text = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        canvas.savefig(text, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = text.getvalue()[text.getvalue().index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", svg)
    svg = svg.replace("xlink:href", "href").replace(INK, "currentColor")
    # The page scales it; the label is what a screen reader says.
    svg = re.sub(r'\s(width|height)="[\d.]+pt"', "", svg, count=2)
    return svg.replace("<svg", f'<svg role="img" aria-label="{label}"', 1).strip()


def subject_plot(report: Report, measure: Measure) -> str | None:
    """A measure of every subject, with intervals; None where fewer than two have it."""
    figures = figure_table(report)
    rows = [
        (subject, figure)
        for subject in report.subjects
        if (figure := figures.get((subject.key, measure.key))) is not None and figure.value is not None
    ]
    if len(rows) < 2:
        return None
    factor = 100.0 if measure.key.split(".")[-1] in SHARES else 1.0
    with _plot(4.4, 0.55 + 0.27 * len(rows)) as (canvas, axes):
        for place, (subject, figure) in enumerate(rows):
            value = factor * float(figure.value or 0.0)
            colour = COLOURS[subject.role]
            if figure.low is not None and figure.high is not None:
                axes.plot([factor * figure.low, factor * figure.high], [place] * 2, color=colour, lw=1.6, alpha=0.75)
            axes.plot([value], [place], "o", color=colour, ms=5.5 if subject.key == report.main else 4.5)
        axes.set_yticks(range(len(rows)), [_short(subject.title) for subject, _ in rows])
        for label, (subject, _) in zip(axes.get_yticklabels(), rows, strict=True):
            label.set_fontweight("bold" if subject.key == report.main else "normal")
        axes.invert_yaxis()
        axes.grid(axis="x")
        unit = "%" if factor == 100.0 else measure.unit
        axes.set_title(f"{measure.title}, {unit}" if unit else measure.title)
        if factor == 100.0:
            axes.set_xlim(right=102)
        if measure.better == "one":
            axes.axvline(1.0, color=INK, lw=0.8, ls=":")
        return to_svg(canvas, f"{measure.title} by subject")


def group_plot(report: Report, measure: Measure) -> str | None:
    """A measure of the main subject by group, as bars; the line is everybody's. None without groups."""
    own = [g for g in report.groups if g.figure.subject == report.main and g.figure.measure == measure.key]
    if not own or not report.has(measure.key):
        return None
    factor = 100.0 if measure.key.split(".")[-1] in SHARES else 1.0
    average = factor * float(report.figure(measure.key).value or 0.0)
    places, labels, place = [], [], 0.0
    previous = own[0].division
    for entry in own:
        place += 0.6 if entry.division != previous else 0.0
        previous = entry.division
        places.append(place)
        labels.append(f"{entry.group} ({entry.figure.people})")
        place += 1
    with _plot(4.4, 0.55 + 0.24 * (len(own) + 1)) as (canvas, axes):
        axes.barh(
            places, [factor * float(e.figure.value or 0.0) for e in own], 0.72, color=COLOURS["bundle"], alpha=0.8
        )
        _whiskers(axes, places, own, factor)
        axes.axvline(average, color=INK, lw=0.9, ls=":")
        axes.set_yticks(places, labels)
        axes.invert_yaxis()
        axes.grid(axis="x")
        unit = "%" if factor == 100.0 else measure.unit
        axes.set_title(f"{measure.title}, {unit}" if unit else measure.title)
        axes.set_xlim(*_group_limits(own, factor, average))
        return to_svg(canvas, f"{measure.title} by group")


def _whiskers(axes: Axes, places: Sequence[float], own: Sequence[GroupFigure], factor: float) -> None:
    for place, entry in zip(places, own, strict=True):
        if entry.figure.low is not None and entry.figure.high is not None:
            axes.plot([factor * entry.figure.low, factor * entry.figure.high], [place] * 2, color=INK, lw=1)


def _group_limits(own: Sequence[GroupFigure], factor: float, average: float) -> tuple[float, float]:
    """Bars start at 0, as bars must, with room for the whiskers."""
    ends = [factor * end for e in own for end in (e.figure.low, e.figure.high, e.figure.value) if end is not None]
    high, low = max([average, *ends]), min([0.0, *ends])
    return low * 1.05, high * 1.05 if high > 0 else 1.0


def spectrum_plot(report: Report) -> str | None:
    """Spectral energy by frequency of what the eye compares."""
    shown = [s for s in report.spectra if s.subject in (report.main, *LINES)]
    if not shown:
        return None
    titles = {subject.key: subject.title for subject in report.subjects}
    order = [report.main, "truth", "input", "decode", "difference", "unet"]
    with _plot(6.4, 3.6) as (canvas, axes):
        for spectrum in sorted(shown, key=lambda s: order.index(s.subject)):
            main = spectrum.subject == report.main
            axes.semilogy(
                spectrum.frequencies,
                np.maximum(spectrum.energy, 1e-9),
                color=COLOURS["bundle"] if main else LINES[spectrum.subject],
                lw=2.2 if main else 1.4,
                ls="--" if spectrum.subject == "input" else "-",
                label=_short(titles.get(spectrum.subject, spectrum.subject)),
                zorder=3 if main else 2,
            )
        axes.axvline(FINE, color=INK, lw=0.8, ls=":")
        axes.text(FINE + 0.01, 0.97, "fine detail →", transform=axes.get_xaxis_transform(), va="top", fontsize=8)
        axes.set_xlim(0, 1)
        axes.set_xlabel("frequency, share of Nyquist")
        axes.set_ylabel("energy")
        axes.grid()
        axes.legend()
        axes.set_title("Spectrum of the inner face")
        return to_svg(canvas, "Spectral energy by frequency")


def histogram_plot(histogram: Histogram, title: str) -> str:
    """Cosines with inputs of the same person (other pictures) beside those of other people."""
    edges = np.array(histogram.edges)
    with _plot(4.4, 2.3) as (canvas, axes):
        for shares, colour, label in (
            (histogram.different, DIFFERENT, "different people"),
            (histogram.same, SAME, "same person, other picture"),
        ):
            axes.stairs(np.array(shares) * 100, edges, fill=True, color=colour, alpha=0.55, label=label)
        used = np.flatnonzero(np.array(histogram.same) + np.array(histogram.different) > 0)
        if len(used):
            axes.set_xlim(edges[used[0]] - 0.02, edges[used[-1] + 1] + 0.02)
        axes.set_xlabel("cosine")
        axes.set_ylabel("share, %")
        axes.margins(y=0.3)  # room for the legend
        axes.legend(loc="upper left", fontsize=8, ncols=2, borderaxespad=0)
        axes.set_title(title)
        return to_svg(canvas, f"{title}: cosines of the same person and of different people")


def _short(title: str) -> str:
    """A subject's title where there is little room."""
    return {
        "colour transfer to the truth (oracle)": "colour, oracle",
        "colour transfer to the mean photo": "colour, mean photo",
        "mean change of colour": "colour, mean change",
    }.get(title, title.partition(" (")[0])
