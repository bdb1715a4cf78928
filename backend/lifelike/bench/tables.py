# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as tables, for a terminal and for Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import frozen
from rich.console import Group, RenderableType
from rich.table import Table as TerminalTable

from lifelike.bench.figures import MemoryPeak, Report, Start, Timing

NOTHING = ""


@frozen
class Table:
    """title, the columns' heads and the rows, all as text; the first `words` columns are words, the others figures."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1


def tables(report: Report) -> list[Table]:
    """Every part of the report that has anything in it."""
    kinds = (_timings, _stages, _throughput, _memory, _starts, _peaks, _absent)
    return [table for table in (kind(report) for kind in kinds) if table.rows]


def _timings(report: Report) -> Table:
    heads = ("network", "run", "time", "ratio", "GFLOP", "GFLOP/s", "of peak", "deviation")
    return Table("One pass of a network", heads, tuple(map(_timing, report.timings)), words=2)


def _timing(timing: Timing) -> tuple[str, ...]:
    return (
        f"{timing.network} {timing.resolution}",
        f"{timing.execution} {timing.precision}",
        duration(timing.seconds),
        NOTHING if timing.ratio is None else f"{timing.ratio:.2f}",
        f"{timing.gflop:.1f}",
        f"{timing.gflop / timing.seconds:.0f}",
        NOTHING if timing.peak_share is None else f"{timing.peak_share:.0%}",
        f"{timing.deviation:.1g}",
    )


def _stages(report: Report) -> Table:
    rows = [(stage.name, duration(stage.seconds), f"{stage.share:.0%}") for stage in report.stages]
    if rows:
        rows.append(("together", duration(sum(stage.seconds for stage in report.stages)), NOTHING))
    return Table("A picture's way", ("stage", "time", "share"), tuple(rows))


def _throughput(report: Report) -> Table:
    rows = tuple(
        (
            "one by one" if entry.lanes == 1 else f"{entry.lanes} lanes",
            str(entry.threads),
            str(entry.pictures),
            duration(entry.seconds),
            f"{entry.pictures_per_second:.2f}",
            f"{entry.ratio:.2f}",
        )
        for entry in report.throughput
    )
    return Table("A batch of pictures", ("", "threads each", "pictures", "time", "pictures/s", "ratio"), rows)


def _memory(report: Report) -> Table:
    heads = ("network", "run", "before", "peak", "taken", "GPU peak")
    return Table("Largest memory of a fresh process", heads, tuple(map(_memory_peak, report.memory)), words=2)


def _memory_peak(peak: MemoryPeak) -> tuple[str, ...]:
    gpu = NOTHING if peak.gpu_peak is None else megabytes(peak.gpu_peak)
    sizes = (megabytes(peak.before), megabytes(peak.peak), megabytes(peak.peak - peak.before), gpu)
    return (f"{peak.network} {peak.resolution}", f"{peak.execution} {peak.precision}", *sizes)


def _starts(report: Report) -> Table:
    heads = ("network", "start", "set-up", "first pass", "second", "ratio")
    return Table("The first passes of a fresh process", heads, tuple(map(_start, report.starts)), words=2)


def _start(start: Start) -> tuple[str, ...]:
    times = (duration(start.set_up), duration(start.first), duration(start.second))
    ratio = NOTHING if start.ratio is None else f"{start.ratio:.2f}"
    return (f"{start.network} {start.resolution}", start.kind, *times, ratio)


def _peaks(report: Report) -> Table:
    rows = tuple((peak.operation, peak.precision, f"{peak.gflops:.0f}") for peak in report.peaks)
    return Table("The roof: GFLOP/s of one operation alone", ("operation", "", "GFLOP/s"), rows, words=2)


def _absent(report: Report) -> Table:
    rows = tuple((entry.what, entry.why) for entry in report.absent)
    return Table("Not measured", ("what", "why"), rows, words=2)


def duration(seconds: float) -> str:
    """Three digits and the unit."""
    unit, value = (
        ("s", seconds) if seconds >= 1 else ("ms", seconds * 1e3) if seconds >= 1e-3 else ("µs", seconds * 1e6)
    )
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {unit}"


def megabytes(size: int) -> str:
    """Whole ones, of 10⁶ bytes."""
    return f"{size / 1e6:.0f} MB"


def description(report: Report) -> str:
    """Machine and settings in a line of words."""
    return ", ".join(_fact(name, value) for name, value in {**report.machine, **report.settings}.items())


def _fact(name: str, value: Any) -> str:
    words = name.removesuffix("_bytes").replace("_", " ")
    return f"{words} {megabytes(value) if name.endswith('_bytes') else value}"


def for_terminal(report: Report) -> RenderableType:
    """All tables for rich."""
    return Group(description(report), *map(_terminal_table, tables(report)))


def _terminal_table(table: Table) -> TerminalTable:
    made = TerminalTable(title=table.title)
    for index, head in enumerate(table.heads):
        made.add_column(head, justify="left" if index < table.words else "right")
    for row in table.rows:
        made.add_row(*row)
    return made


def as_markdown(report: Report) -> str:
    """All tables under headings of the third level, as benchmarks/README.md holds them."""
    return "\n".join([description(report) + ".\n", *map(_markdown_table, tables(report))])


def _markdown_table(table: Table) -> str:
    rule = "|" + "|".join("---" if index < table.words else "---:" for index in range(len(table.heads))) + "|"
    return "\n".join([f"### {table.title}\n", _line(table.heads), rule, *map(_line, table.rows), ""])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
