# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as tables and as JSON."""

from __future__ import annotations

import json

import cattrs
from attrs import fields
from rich.console import Console

from lifelike.bench.figures import Absence, MemoryPeak, Peak, Report, Stage, Start, Throughput, Timing
from lifelike.bench.report_file import report_text
from lifelike.bench.tables import as_markdown, duration, for_terminal, tables

REPORT = Report(
    machine={"processor": "Abacus", "memory_bytes": 25_000_000_000},
    settings={"device": "cpu", "rounds": 5},
    peaks=(Peak("matmul", "fp32", 100.0),),
    timings=(
        Timing("generator", 256, "reference", "fp32", 2.0, 1.9, 90.7, 0.45, 1.0, 1e-5),
        Timing("generator", 256, "accelerated", "bf16", 0.25, 0.2, 90.7, None, 8.0, 0.02),
        Timing("small encoder", 256, "plain", "fp32", 0.05, 0.04, 3.0, 0.6, None, 0.0),
    ),
    stages=(Stage("decode", 0.025, 0.25), Stage("encode", 0.075, 0.75)),
    throughput=(Throughput(8, 1, 2, 4.0, 2.0, 1.0), Throughput(8, 2, 1, 2.0, 4.0, 2.0)),
    memory=(MemoryPeak("generator", 256, "plain", "fp32", 300_000_000, 700_000_000, None),),
    starts=(
        Start("generator", 256, "plain", 0.0, 2.0, 1.8, 1.0),
        Start("generator", 256, "first start", 0.5, 1.5, 0.2, 1.0),
    ),
    absent=(Absence("generator 256, accelerated, fp16", "CPUs are slower with it."),),
)


def cells(markdown: str, start: str) -> list[str]:
    """The cells of the one line that starts so."""
    (line,) = [line for line in markdown.splitlines() if line.startswith(f"| {start}")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_figures_stand_in_their_columns() -> None:
    text = as_markdown(REPORT)
    heads = cells(text, "network | run | time")
    fast = dict(zip(heads, cells(text, "generator 256 | accelerated bf16"), strict=True))
    assert fast == {
        "network": "generator 256",
        "run": "accelerated bf16",
        "time": "250 ms",
        "ratio": "8.00",
        "GFLOP": "90.7",
        "GFLOP/s": "363",
        "of peak": "",
        "deviation": "0.02",
    }
    assert dict(zip(heads, cells(text, "generator 256 | reference"), strict=True))["of peak"] == "45%"
    assert dict(zip(heads, cells(text, "small encoder"), strict=True))["ratio"] == ""
    assert cells(text, "together")[1] == "100 ms"
    assert cells(text, "2 lanes") == ["2 lanes", "1", "8", "2.00 s", "4.00", "2.00"]
    assert cells(text, "generator 256 | plain fp32 | 300 MB")[2:] == ["300 MB", "700 MB", "400 MB", ""]
    assert cells(text, "generator 256 | first start")[2:] == ["500 ms", "1.50 s", "200 ms", "1.00"]
    assert text.startswith("processor Abacus, memory 25000 MB, device cpu, rounds 5.")


def test_every_row_is_as_long_as_its_head() -> None:
    for table in tables(REPORT):
        assert all(len(row) == len(table.heads) for row in table.rows), table.title


def test_parts_that_were_not_measured_have_no_table() -> None:
    assert tables(Report(machine={}, settings={})) == []
    (only,) = tables(Report(machine={}, settings={}, absent=REPORT.absent))
    assert only.rows == (("generator 256, accelerated, fp16", "CPUs are slower with it."),)


def test_terminal_shows_what_markdown_shows() -> None:
    console = Console(width=160, file=None, record=True, quiet=False)
    with console.capture() as shown:
        console.print(for_terminal(REPORT))
    for table in tables(REPORT):
        for row in table.rows:
            assert all(cell in shown.get() for cell in row)


def test_durations_have_three_digits_and_a_unit() -> None:
    assert [duration(value) for value in (12.345, 1.0, 0.5, 0.0123, 0.00456, 0.000789)] == [
        "12.3 s",
        "1.00 s",
        "500 ms",
        "12.3 ms",
        "4.56 ms",
        "789 µs",
    ]


def test_json_holds_every_field_and_becomes_the_same_report() -> None:
    values = json.loads(report_text(REPORT))
    assert values["format"] == "lifelike-bench-1"
    assert set(values) == {field.name for field in fields(Report)}
    assert cattrs.Converter(forbid_extra_keys=True).structure(values, Report) == REPORT
