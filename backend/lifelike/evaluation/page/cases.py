# SPDX-License-Identifier: GPL-3.0-or-later
"""The pictures on the page: the worst by several measures, and some chosen without looking."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence

import numpy as np
from attrs import frozen
from numpy.typing import NDArray
from PIL import Image

from lifelike.evaluation.evaluate import show, worst_pictures
from lifelike.evaluation.material import INPUT, TRUTH, Material
from lifelike.evaluation.report import Measure, Report
from lifelike.evaluation.subjects import Producer
from lifelike.evaluation.tables import written

WORST = 6
"""Pictures in each list of worst cases."""
CHOSEN = 8
"""Pictures chosen evenly over the set."""
MOST_LISTS = 5
JPEG_QUALITY = 92


@frozen
class Tile:
    """One picture of a case: its caption and its data URI."""

    caption: str
    source: str
    main: bool


@frozen
class Case:
    """One portrait in all versions, with its numbers (title, value)."""

    name: str
    tiles: tuple[Tile, ...]
    numbers: tuple[tuple[str, str], ...]


@frozen
class CaseList:
    """Cases that belong together."""

    title: str
    note: str
    cases: tuple[Case, ...]


def case_lists(report: Report, material: Material, producers: Sequence[Producer]) -> list[CaseList]:
    """Worst first by identity (each network), PSNR and drift, then an even choice; every picture is made again."""
    measures = {measure.key: measure for measure in report.measures}
    lists: list[tuple[str, str, NDArray[np.int64]]] = []
    for key in [key for key in measures if key.endswith(".cosine")] + ["psnr", "drift"]:
        if key in measures and report.main in report.pictures.values.get(key, {}) and len(lists) < MOST_LISTS:
            told = measures[key].title + (f", {measures[key].judge}" if measures[key].judge else "")
            lists.append((f"Worst first: {told}", "", worst_pictures(report, key, WORST)))
    even = np.unique(np.linspace(0, len(material) - 1, min(CHOSEN, len(material))).astype(np.int64))
    lists.append(("Chosen without looking", "Evenly over the set, whatever they look like.", even))
    wanted = np.unique(np.concatenate([indices for _, _, indices in lists]))
    tiles = dict(_tiles(report, material, producers, wanted))
    shown = [measures[key] for key in _numbers_to_show(report)]
    return [
        CaseList(title, note, tuple(_case(report, int(index), tiles[int(index)], shown) for index in indices))
        for title, note, indices in lists
    ]


def _numbers_to_show(report: Report) -> list[str]:
    keys = [measure.key for measure in report.measures]
    return [key for key in keys if key.endswith(".cosine") or key in ("psnr", "sharpness", "detail_kept", "drift")]


def _case(report: Report, index: int, tiles: tuple[Tile, ...], measures: Iterable[Measure]) -> Case:
    numbers = []
    for measure in measures:
        values = report.pictures.values.get(measure.key, {}).get(report.main)
        if values is not None:
            network = f" ({measure.judge.removeprefix('the ')})" if measure.judge else ""
            title = {"psnr": "PSNR", "sharpness": "sharpness", "drift": "drift", "detail_kept": "detail"}.get(
                measure.key, f"identity{network}"
            )
            numbers.append((title, written(measure, values[index])))
    return Case(report.pictures.names[index], tiles, tuple(numbers))


def _tiles(
    report: Report, material: Material, producers: Sequence[Producer], indices: NDArray[np.int64]
) -> Iterable[tuple[int, tuple[Tile, ...]]]:
    """Before, after and truth of the pictures at the indices, and the U-Net's where there is one."""
    captions = {INPUT: "before", report.main: "after", TRUTH: "truth", "unet": "U-Net"}
    for part in material.batches(8, indices):
        shown = show(part, producers)
        for place in range(len(part)):
            tiles = tuple(
                Tile(caption, data_uri(shown[key][place]), key == report.main)
                for key, caption in captions.items()
                if key in shown
            )
            yield int(indices[part.start + place]), tiles


def data_uri(picture: NDArray[np.uint8]) -> str:
    """(R, R, 3) as a JPEG in a data URI."""
    data = io.BytesIO()
    Image.fromarray(picture).save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode("ascii")
