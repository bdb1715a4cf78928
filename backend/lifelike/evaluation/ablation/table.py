# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of an ablation, as JSON, Markdown and HTML."""

from __future__ import annotations

import html
from typing import Any

from attrs import asdict, frozen

from lifelike.evaluation.report import Figure, Measure, Report
from lifelike.evaluation.tables import headline_measures, told_apart, written, written_interval

FORMAT = "lifelike-ablation-1"
INPUT = "input"


@frozen
class Row:
    """A variant's name, what it changes, and its figures by measure."""

    name: str
    changes: tuple[str, ...]
    figures: dict[str, Figure]


@frozen
class AblationTable:
    """Rows with the measures that are their columns, and what it was measured on."""

    measures: tuple[Measure, ...]
    titles: tuple[str, ...]
    rows: tuple[Row, ...]
    pictures: int
    people: int
    command: str


def make_table(entries: list[tuple[str, tuple[str, ...], str, Report]], command: str) -> AblationTable:
    """From each variant's name, changes, main subject and report; the untouched input stands first."""
    first = entries[0][3]
    measures = tuple(headline_measures(first))
    keys = {measure.key for measure in measures}
    subjects = [("untouched input", (), INPUT, first), *entries]
    rows = tuple(
        Row(name, changes, {f.measure: f for f in report.figures if f.subject == subject and f.measure in keys})
        for name, changes, subject, report in subjects
    )
    about = first.provenance
    return AblationTable(measures, tuple(told_apart(first, measures)), rows, about.pictures, about.people, command)


def as_json(table: AblationTable) -> dict[str, Any]:
    """Plain values."""
    return {"format": FORMAT, **asdict(table)}


def as_markdown(table: AblationTable) -> str:
    """A table with a line below that says what it rests on."""
    lines = [_line(["variant", *table.titles]), _line(["---", *["---:"] * len(table.titles)])]
    for row in table.rows:
        figures = [row.figures.get(measure.key) for measure in table.measures]
        cells = [
            "" if figure is None else written(measure, figure.value)
            for measure, figure in zip(table.measures, figures, strict=True)
        ]
        lines.append(_line([row.name, *cells]))
    return "\n".join([*lines, "", f"{table.pictures} pictures of {table.people} people never trained on."]) + "\n"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def as_html(table: AblationTable, sheet: str) -> str:
    """A page of its own, with 95 % intervals.

    Args:
        sheet: the picture's data address.
    """
    heads = "".join(
        f'<th title="{html.escape(measure.meaning)}">{html.escape(title)}</th>'
        for measure, title in zip(table.measures, table.titles, strict=True)
    )
    rows = "".join(_html_row(row, table) for row in table.rows)
    return _PAGE.format(
        heads=heads,
        rows=rows,
        sheet=sheet,
        about=html.escape(f"{table.pictures} pictures of {table.people} people never trained on; 95 % intervals."),
        command=html.escape(table.command),
    )


def _html_row(row: Row, table: AblationTable) -> str:
    cells = []
    for measure in table.measures:
        figure = row.figures.get(measure.key)
        if figure is None:
            cells.append("<td></td>")
        else:
            spread = written_interval(measure, figure.low, figure.high)
            cells.append(
                f"<td>{html.escape(written(measure, figure.value))}<br><small>{html.escape(spread)}</small></td>"
            )
    changes = html.escape(", ".join(row.changes))
    return f"<tr><th>{html.escape(row.name)}<br><small>{changes}</small></th>{''.join(cells)}</tr>\n"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Ablation</title><style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem; color: #222; }}
table {{ border-collapse: collapse; }}
th, td {{ border-bottom: 1px solid #ddd; padding: .35rem .7rem; text-align: right; vertical-align: top; }}
th:first-child {{ text-align: left; }}
small {{ color: #666; font-weight: normal; }}
img {{ max-width: 100%; }}
@media (prefers-color-scheme: dark) {{ body {{ background: #1b1b1b; color: #ddd; }} small {{ color: #999; }} }}
</style></head><body><h1>Ablation</h1><p>{about}</p>
<table><thead><tr><th>variant</th>{heads}</tr></thead><tbody>
{rows}</tbody></table>
<h2>Pictures</h2><img src="{sheet}" alt="One row a person: the render, what each variant makes of it, the truth.">
<p><code>{command}</code></p></body></html>
"""
