# SPDX-License-Identifier: GPL-3.0-or-later
"""One sheet of an ablation: a row a person, the render, what each variant makes of it, the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from lifelike.evaluation.evaluate import show
from lifelike.evaluation.material import INPUT, TRUTH, Material
from lifelike.evaluation.subjects import Producer

SIDE = 128  # pixels of a picture at least
CAPTION = 16


def sheet_rows(material: Material, count: int = 6) -> NDArray[np.int64]:
    """Indices of pictures of different people, evenly chosen."""
    first = np.unique(material.person, return_index=True)[1]
    return np.unique(first[np.linspace(0, len(first) - 1, min(count, len(first))).astype(np.int64)])


def column(material: Material, rows: NDArray[np.int64], producer: Producer, subject: str) -> NDArray[np.uint8]:
    """What a producer makes of these pictures: (n, R, R, 3)."""
    (part,) = material.batches(len(rows), rows)
    return show(part, [producer])[subject]


def ends(material: Material, rows: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Renders and truths of these pictures."""
    (part,) = material.batches(len(rows), rows)
    shown = show(part, [])
    return shown[INPUT], shown[TRUTH]


def draw_columns(columns: Sequence[tuple[str, NDArray[np.uint8]]]) -> Image.Image:
    """Captioned columns (n, R, R, 3) side by side."""
    side = max(SIDE, columns[0][1].shape[1])
    count = len(columns[0][1])
    sheet = Image.new("RGB", (side * len(columns), CAPTION + side * count), "white")
    draw = ImageDraw.Draw(sheet)
    for place, (name, pictures) in enumerate(columns):
        draw.text((place * side + 3, 2), name, fill="black")
        for row, pixels in enumerate(pictures):
            picture = Image.fromarray(pixels).resize((side, side), Image.Resampling.LANCZOS)
            sheet.paste(picture, (place * side, CAPTION + row * side))
    return sheet
