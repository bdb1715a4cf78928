# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet: before, after, truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lifelike.datasets.pairs import Pairs

GAP = 4
CAPTION = 14


def draw_sheet(
    pairs: Pairs, outputs: NDArray[np.uint8], file: Path, rows: int = 20, columns: int = 2, least_side: int = 128
) -> None:
    """Write ``rows`` triples (input, output, truth) as a PNG, in ``columns`` blocks, whole or not at all.

    One picture a person as far as there are people, poses in turn; each at least ``least_side`` pixels a side.
    """
    chosen = pick_rows(pairs, rows)
    side = max(least_side, pairs.resolution)
    lines = -(-len(chosen) // columns)
    width = columns * (3 * side + 3 * GAP) - GAP
    sheet = Image.new("RGB", (width, CAPTION + lines * (side + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, index in enumerate(chosen):
        left, top = (number % columns) * (3 * side + 3 * GAP), CAPTION + (number // columns) * (side + GAP)
        for place, picture in enumerate((pairs.render[index], outputs[index], pairs.photo[index])):
            tile = Image.fromarray(picture)
            if tile.width != side:
                tile = tile.resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(tile, (left + place * side, top))
    for column in range(columns):
        for place, word in enumerate(("before", "after", "truth")):
            draw.text((column * (3 * side + 3 * GAP) + place * side + 4, 1), word, fill="black")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    sheet.save(partial, "PNG")
    partial.replace(file)


def pick_rows(pairs: Pairs, rows: int) -> list[int]:
    """Indices: the people in order, each in another pose than the one before, evenly spread over the set."""
    people = np.unique(pairs.identity)
    poses = np.unique(pairs.pose)
    spread = people[np.linspace(0, len(people) - 1, min(rows, len(people))).round().astype(int)]
    chosen = []
    for number, person in enumerate(spread):
        wanted = poses[number % len(poses)]
        own = np.flatnonzero(pairs.identity == person)
        exact = own[pairs.pose[own] == wanted]
        chosen.append(int(exact[0] if len(exact) else own[0]))
    return chosen
