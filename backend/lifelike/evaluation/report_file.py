# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JSON: the fields of `lifelike.evaluation.report.Report`, as documented in docs/evaluation.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cattrs

from lifelike.evaluation.report import FORMAT, Report
from lifelike.whole_files import write_whole
from lifelike_protocol.errors import ErrorCode, LifelikeError

LARGEST_BYTES = 512 * 2**20
"""Of a report that is read: far more than thousands of pictures need."""

_converter = cattrs.Converter(forbid_extra_keys=True)


def write_report(report: Report, file: Path) -> None:
    """Write a report, whole or not at all. Numbers that do not exist are null, never NaN."""
    write_text(file, json.dumps(_converter.unstructure(report), indent=1, allow_nan=False) + "\n")


def read_report(file: Path) -> Report:
    """Read a report.

    Raises:
        LifelikeError: INVALID_FILE for anything but a report of this format.
    """
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise ValueError("it is too large")
        values = json.loads(file.read_text("utf-8"))
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        return _converter.structure(values, Report)
    except (OSError, ValueError, TypeError, RecursionError, cattrs.BaseValidationError) as error:
        detail = cattrs.transform_error(error)[0] if isinstance(error, cattrs.BaseValidationError) else error
        raise LifelikeError(
            ErrorCode.INVALID_FILE,
            f"{file} is no report of an evaluation ({detail}).",
            "Give the report.json that `lifelike evaluate` wrote.",
        ) from error


def card_figures(report: Report) -> dict[str, Any]:
    """What of a report belongs on a bundle's card: the main subject's figures, and what they were measured on."""
    figures = {
        figure.measure: {"value": figure.value, "low": figure.low, "high": figure.high}
        for figure in report.figures
        if figure.subject == report.main
    }
    about = report.provenance
    return {
        "format": report.format,
        "method": about.method,
        "data": [entry.get("name", entry.get("folder", "")) for entry in about.data],
        "identities": about.identities,
        "pictures": about.pictures,
        "people": about.people,
        "figures": figures,
    }


def write_text(file: Path, text: str) -> None:
    """Write a text file, whole or not at all.

    Raises:
        LifelikeError: INVALID_FILE where it cannot be written.
    """
    try:
        write_whole(file, text.encode())
    except OSError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"{file} cannot be written ({error.strerror}).", "Name another place for it."
        ) from error
