# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet for documents: before, after and, where known, truth, at full size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lifelike.evaluation.evaluate import show
from lifelike.evaluation.material import INPUT, TRUTH, Material
from lifelike.evaluation.subjects import Producer
from lifelike.whole_files import written_whole

GAP = 4
CAPTION = 14
LEAST_SIDE = 128


def draw_sheet(
    material: Material, producers: Sequence[Producer], main: str, file: Path, rows: int = 20, columns: int = 2
) -> None:
    """Write ``rows`` portraits as a PNG, in ``columns`` blocks, whole or not at all.

    One picture a person as far as there are people, poses in turn; each at least 128 pixels a side.

    Args:
        main: the subject to show as "after".
    """
    chosen = pick_rows(material, rows)
    words = {INPUT: "before", main: "after"} | ({} if material.truths is None else {TRUTH: "truth"})
    side = max(LEAST_SIDE, material.resolution)
    lines, block = -(-len(chosen) // columns), len(words) * (side + GAP)
    sheet = Image.new("RGB", (columns * block - GAP, CAPTION + lines * (side + GAP)), "white")
    draw = ImageDraw.Draw(sheet)
    for part in material.batches(8, np.array(chosen)):
        shown = show(part, producers)
        for offset in range(len(part)):
            number = part.start + offset
            left, top = (number % columns) * block, CAPTION + (number // columns) * (side + GAP)
            for place, key in enumerate(words):
                sheet.paste(_tile(shown[key][offset], side), (left + place * side, top))
    for column in range(columns):
        for place, word in enumerate(words.values()):
            draw.text((column * block + place * side + 4, 1), word, fill="black")
    with written_whole(file) as unfinished:
        sheet.save(unfinished, "PNG")


def _tile(picture: NDArray[np.uint8], side: int) -> Image.Image:
    tile = Image.fromarray(picture)
    return tile if tile.width == side else tile.resize((side, side), Image.Resampling.LANCZOS)


def pick_rows(material: Material, rows: int) -> list[int]:
    """Indices: the people in order, each in another pose than the one before, evenly spread over the set."""
    people, poses = np.arange(material.people), np.unique(material.pose)
    spread = people[np.linspace(0, len(people) - 1, min(rows, len(people))).round().astype(int)]
    chosen = []
    for number, person in enumerate(spread):
        wanted = poses[number % len(poses)]
        own = np.flatnonzero(material.person == person)
        exact = own[material.pose[own] == wanted]
        chosen.append(int(exact[0] if len(exact) else own[0]))
    return chosen
