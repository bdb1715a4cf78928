# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains and measures every variant, and writes the table and the sheet."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lifelike.bundles import Bundle, read_bundle
from lifelike.evaluation.ablation.measuring import (
    main_subject,
    measured,
    refined_producer,
    reserved_material,
)
from lifelike.evaluation.ablation.sheet import column, draw_columns, ends, sheet_rows
from lifelike.evaluation.ablation.table import AblationTable, as_html, as_json, as_markdown, make_table
from lifelike.evaluation.ablation.trainings import Trainings
from lifelike.evaluation.ablation.variants import Variant, read_variants
from lifelike.evaluation.report_file import write_text
from lifelike.evaluation.subjects import BundleProducer, Producer
from lifelike.whole_files import write_whole
from lifelike_protocol.messages import Method


def ablate(
    config: Path | None,
    changes: Sequence[str],
    folder: Path,
    console: Console,
    stop_after: float | None = None,
    command: str = "",
) -> AblationTable:
    """Run an ablation, or go on with one, in `folder`: runs, reports, ablation.json, .md, .html and sheet.png.

    Args:
        config, changes: as `read_settings` takes them. stop_after: minutes of this start.

    Raises:
        Stopped: before the end. LifelikeError: for whatever is wrong with the settings or the data.
    """
    variants = read_variants(config, changes, folder)
    trainings = Trainings(folder, console, stop_after)
    generator = trainings.photo(variants[0].settings)
    bundles = [_bundle(variant, trainings, generator) for variant in variants]
    material = reserved_material(variants[0].settings, bundles[0].card.resolution)
    rows = sheet_rows(material)
    inputs, truths = ends(material, rows)
    entries, columns = [], [("render", inputs)]
    for variant, bundle in zip(variants, bundles, strict=True):
        console.print(f"{variant.name}: measuring", highlight=False, markup=False)
        report = measured(variant, bundle, material, folder / "reports" / f"{variant.name}.json")
        entries.append((variant.name, variant.changes, main_subject(variant), report))
        columns.append((variant.name, column(material, rows, _producer(variant, bundle), main_subject(variant))))
    table = make_table(entries, command)
    _write(folder, table, [*columns, ("truth", truths)])
    return table


def _bundle(variant: Variant, trainings: Trainings, generator: str) -> Bundle:
    """As a user would have it: from its file."""
    file = variant.folder / "bundle.safetensors"
    trainings.bundle(variant, generator).save(file)
    return read_bundle(file)


def _producer(variant: Variant, bundle: Bundle) -> Producer:
    if variant.settings.refine_steps:
        return refined_producer(variant, bundle)
    return BundleProducer(bundle, [Method(variant.settings.method)])


def _write(folder: Path, table: AblationTable, columns: list) -> None:
    encoded = io.BytesIO()
    draw_columns(columns).save(encoded, "PNG")
    write_whole(folder / "sheet.png", encoded.getvalue())
    address = f"data:image/png;base64,{base64.b64encode(encoded.getvalue()).decode()}"
    write_text(folder / "ablation.json", json.dumps(as_json(table), indent=1, allow_nan=False) + "\n")
    write_text(folder / "ablation.md", as_markdown(table))
    write_text(folder / "ablation.html", as_html(table, address))
