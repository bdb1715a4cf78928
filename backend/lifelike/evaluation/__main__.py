# SPDX-License-Identifier: GPL-3.0-or-later
"""``python -m lifelike.evaluation --pairs DIR``: what a bundle does to people it has never seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from lifelike.bundles import Bundle, load_bundle
from lifelike.datasets.pairs import Pairs, load_pairs
from lifelike.evaluation.judges import load_identity_judge, load_look_classifier, to_pictures, to_portraits
from lifelike.evaluation.report import Measured, as_dict, evaluate
from lifelike.evaluation.sheet import draw_sheet
from lifelike.networks.identity import IdentityNetwork
from lifelike.training.command import run_command
from lifelike.transfer import transfer_portraits
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method


def transfer(bundle: Bundle, pairs: Pairs, method: Method, strength: float, batch: int = 8) -> NDArray[np.uint8]:
    """The outputs (N, R, R, 3) for every render-look portrait, by the pipeline's own portrait path."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(pairs), batch):
            portraits = to_portraits(pairs.render[start : start + batch])
            parts.append(to_pictures(transfer_portraits(bundle, portraits, method, strength)))
    return np.concatenate(parts)


def show(measured: list[Measured], title: str, console: Console) -> None:
    """Print the numbers as a table."""
    table = Table(title=title, title_justify="left")
    for heading, side in (("measure", "left"), ("value", "right"), ("pictures", "right"), ("meaning", "left")):
        table.add_column(heading, justify="right" if side == "right" else "left")
    for number in measured:
        table.add_row(number.name, f"{number.value:.3f}", str(number.pictures), number.meaning)
    console.print(table)


def main(
    pairs: Annotated[Path, typer.Option(help="Folder of the paired heads (index.jsonl).")],
    bundle: Annotated[str, typer.Option(help="Name or path of the bundle.")] = "builtin",
    method: Annotated[Method, typer.Option(help="How to apply the pair; bundle: as its card says.")] = Method.BUNDLE,
    strength: Annotated[float, typer.Option(min=0.0, max=1.0)] = 1.0,
    judge: Annotated[Path | None, typer.Option(help="A further identity network, never trained against.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write before/after/truth rows as PNG.")] = None,
    people: Annotated[int, typer.Option(help="Only so many, evenly chosen, for a quick look; 0: all.")] = 0,
    rows: Annotated[int, typer.Option(help="Rows of the sheet.")] = 20,
    report: Annotated[Path | None, typer.Option(help="Write the numbers as JSON.")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded pictures.")] = None,
) -> None:
    """Measure a bundle on the reserved identities. All pictures are synthetic.

    The numbers `identity.*` come from the bundle's own identity network. Where that one was part of the bundle's
    training loss they flatter it; --judge adds the same numbers by a network trained from another seed.
    """
    console = Console()
    loaded = load_bundle(bundle)
    reserved = load_pairs(pairs, loaded.card.resolution, cache).reserved()
    if len(reserved) == 0:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"No reserved identity is in {pairs}.", "Use the whole set of paired heads."
        )
    everyone = np.unique(reserved.identity)
    if 0 < people < len(everyone):
        few = everyone[np.linspace(0, len(everyone) - 1, max(people, 2)).round().astype(np.int64)]
        reserved = reserved.select(np.isin(reserved.identity, few))
    chosen = loaded.card.method if method is Method.BUNDLE else method
    outputs = transfer(loaded, reserved, chosen, strength)
    embedders: dict[str, IdentityNetwork] = {}
    if loaded.identity is not None:
        embedders["identity"] = loaded.identity
    if judge is not None:
        embedders["judge"] = load_identity_judge(judge)
    locate = loaded.locator.locate if loaded.locator is not None else None
    measured = evaluate(reserved, outputs, embedders, load_look_classifier(), locate)
    title = f"{loaded.card.name}, {chosen.value}, strength {strength:g}: {len(reserved)} synthetic pictures"
    show(measured, title, console)
    if sheet is not None:
        draw_sheet(reserved, outputs, sheet, rows)
        console.print(f"sheet: {sheet}")
    if report is not None:
        about = {"bundle": loaded.card.name, "sha256": loaded.sha256, "method": chosen.value, "strength": strength}
        report.parent.mkdir(parents=True, exist_ok=True)
        partial = report.with_name(f".{report.name}.partial")
        partial.write_text(json.dumps({**about, "measured": as_dict(measured)}, indent=1))
        partial.replace(report)
        console.print(f"report: {report}")


if __name__ == "__main__":
    run_command(main)
