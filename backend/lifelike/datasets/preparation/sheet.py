# SPDX-License-Identifier: GPL-3.0-or-later
"""The contact sheet of a prepared data set: what was kept, and what was left out under its reason."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lifelike.datasets.decoding import read_rgb
from lifelike.datasets.preparation.outcome import Outcome, Rejection
from lifelike.datasets.preparation.thresholds import Reason
from lifelike.datasets.record import Record
from lifelike.datasets.writing import replace_bytes
from lifelike.faces.alignment import portrait_transform, transform_points
from lifelike_protocol.errors import LifelikeError
from lifelike_protocol.messages import Array

SHEET = "contact_sheet.jpg"
TILE, COLUMNS, GAP = 160, 8, 8
CAPTION_LINES, LINE, LETTERS = 3, 13, 27
"""Of a caption: lines, pixels a line, letters a line."""
HEADING = 34
MOST_KEPT, MOST_OF_A_REASON = 48, 16
"""Tiles; of more, these are spread evenly over all."""
AROUND = 1.6
"""Side of what is shown of a rejected face's surroundings, in sides of its portrait's square."""
PAPER, INK, FAINT, MARK = (250, 250, 250), (20, 20, 20), (200, 200, 200), (230, 60, 40)


class Tile(NamedTuple):
    """A picture of `TILE` pixels a side and what stands below it."""

    picture: Image.Image
    caption: str


def draw_sheet(file: Path, folder: Path, outcome: Outcome, paths: Mapping[str, Path]) -> None:
    """Writes the sheet.

    Args:
        folder: of the data set. paths: of the sources by name; those not at hand are shown as an empty tile.

    Raises:
        LifelikeError: INVALID_FILE where it cannot be written.
    """
    kept = _spread(outcome.records, MOST_KEPT)
    sections = [(_heading("kept", kept, outcome.records), [_kept_tile(folder, record) for record in kept])]
    for reason in Reason:
        rejections = [rejection for rejection in outcome.rejections if rejection.reason is reason]
        if rejections:
            shown = _spread(rejections, MOST_OF_A_REASON)
            sections.append((_heading(reason.value, shown, rejections), [_rejected_tile(paths, one) for one in shown]))
    encoded = io.BytesIO()
    _laid_out(sections).save(encoded, format="JPEG", quality=88)
    replace_bytes(file, encoded.getvalue())


def _spread(items: Sequence[Any], most: int) -> list[Any]:
    """At most so many, evenly spread, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(index)] for index in np.linspace(0, len(items) - 1, most)]


def _heading(name: str, shown: Sequence[Any], everything: Sequence[Any]) -> str:
    return f"{name}: {len(everything)}" + (f" ({len(shown)} shown)" if len(shown) < len(everything) else "")


def _kept_tile(folder: Path, record: Record) -> Tile:
    measures = record.attributes["measures"]
    caption = (
        f"{measures['side']:.0f} px, blur {measures['blur']:.2f}, {record.attributes['yaw']:+.0f}°\n{record.source}"
    )
    with Image.open(folder / record.file) as portrait:
        return Tile(portrait.convert("RGB").resize((TILE, TILE), Image.Resampling.LANCZOS), caption)


def _rejected_tile(paths: Mapping[str, Path], rejection: Rejection) -> Tile:
    caption = f"{rejection.detail}\n{rejection.source}"
    try:
        pixels = read_rgb(paths[rejection.source])
    except (LifelikeError, KeyError):
        return Tile(_crossed(), caption)
    if rejection.landmarks is None:
        return Tile(_whole(pixels), caption)
    return Tile(_around(pixels, np.array(rejection.landmarks)), caption)


def _crossed() -> Image.Image:
    tile = Image.new("RGB", (TILE, TILE), FAINT)
    draw = ImageDraw.Draw(tile)
    draw.line((0, 0, TILE, TILE), fill=INK)
    draw.line((0, TILE, TILE, 0), fill=INK)
    return tile


def _whole(pixels: Array) -> Image.Image:
    """A picture, fitted into a tile."""
    picture = Image.fromarray(pixels)
    picture.thumbnail((TILE, TILE), Image.Resampling.LANCZOS)
    tile = Image.new("RGB", (TILE, TILE), FAINT)
    tile.paste(picture, ((TILE - picture.width) // 2, (TILE - picture.height) // 2))
    return tile


def _around(pixels: Array, landmarks: Array) -> Image.Image:
    """A face with its surroundings, the portrait's square drawn in."""
    square = transform_points(portrait_transform(landmarks, 1), [[0, 0], [1, 0], [1, 1], [0, 1]])
    centre, side = square.mean(axis=0), float(np.hypot(*(square[1] - square[0]))) * AROUND
    corner = np.round(centre - side / 2)
    surroundings = Image.new("RGB", (round(side), round(side)), FAINT)
    surroundings.paste(Image.fromarray(pixels), (-int(corner[0]), -int(corner[1])))
    tile = surroundings.resize((TILE, TILE), Image.Resampling.LANCZOS)
    points = [(float(x), float(y)) for x, y in (square - corner) * (TILE / side)]
    ImageDraw.Draw(tile).polygon(points, outline=MARK)
    return tile


def _laid_out(sections: Sequence[tuple[str, Sequence[Tile]]]) -> Image.Image:
    row = TILE + CAPTION_LINES * LINE + GAP
    rows = [-(-len(tiles) // COLUMNS) for _, tiles in sections]
    height = sum(HEADING + count * row for count in rows) + GAP
    sheet = Image.new("RGB", (COLUMNS * (TILE + GAP) + GAP, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(18), ImageFont.load_default(11)
    top = 0
    for (heading, tiles), count in zip(sections, rows, strict=True):
        draw.text((GAP, top + 8), heading, INK, large)
        for index, tile in enumerate(tiles):
            x, y = GAP + index % COLUMNS * (TILE + GAP), top + HEADING + index // COLUMNS * row
            sheet.paste(tile.picture, (x, y))
            draw.multiline_text((x, y + TILE + 1), _wrapped(tile.caption), INK, small, spacing=1)
        top += HEADING + count * row
    return sheet


def _wrapped(caption: str) -> str:
    """As many lines as fit; a long name loses its beginning, not its end."""
    figures, _, name = caption.partition("\n")
    lines = textwrap.wrap(figures, LETTERS)[: CAPTION_LINES - 1]
    return "\n".join([*lines, name if len(name) <= LETTERS else "…" + name[-LETTERS + 1 :]])
