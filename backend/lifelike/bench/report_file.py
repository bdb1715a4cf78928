# SPDX-License-Identifier: GPL-3.0-or-later
"""The report as JSON: the fields of `lifelike.bench.figures.Report`, as explained in benchmarks/README.md."""

from __future__ import annotations

import json

from attrs import asdict

from lifelike.bench.figures import Report


def report_text(report: Report) -> str:
    """JSON. Numbers that do not exist are null, never NaN."""
    return json.dumps(asdict(report), indent=1, allow_nan=False, ensure_ascii=False) + "\n"
