# SPDX-License-Identifier: GPL-3.0-or-later
"""Colour transfers: each channel of the face gets another mean and spread, nothing else changes.

Reinhard et al., "Color Transfer between Images", 2001, per sRGB channel over the face polygon, applied to the whole
portrait. Three, because they answer different questions: what could the truth's own colours give (an oracle, which no
user has), what gives everybody the average photo's colours, and what gives the average change of colour.
"""

from __future__ import annotations

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lifelike.datasets.pairs import Pairs, face_masks
from lifelike.evaluation.material import Batch, Pictures
from lifelike.evaluation.report import Subject

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]

MOST_PAIRS = 400
"""Training pairs that statistics are taken from, evenly chosen; more move them by less than a grey level."""

ORACLE = Subject(
    "colour_oracle",
    "colour transfer to the truth (oracle)",
    "baseline",
    "Each channel gets the mean and spread of this picture's own truth, which no user has: a bound for all transfers.",
)
MEAN_PHOTO = Subject(
    "colour_mean",
    "colour transfer to the mean photo",
    "baseline",
    "Each channel gets the mean and spread that photo looks of the training pairs have on average.",
)
MEAN_CHANGE = Subject(
    "colour_change",
    "mean change of colour",
    "baseline",
    "Each channel goes through the straight line that fits the training pairs best.",
)


@frozen(eq=False)
class ColourStatistics:
    """Of the training pairs' faces. mean, spread, gain, offset: (3,), on values 0…255."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    gain: NDArray[np.float64]
    offset: NDArray[np.float64]


def colour_statistics(pairs: Pairs, keep: NDArray[np.bool_]) -> ColourStatistics:
    """The mean photo's mean and spread, and the least-squares line from render to photo, per channel.

    Args:
        keep: (N,) true for the training pairs, one at least.
    """
    rows = np.flatnonzero(keep)
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), MOST_PAIRS)).astype(np.int64)]
    masks = face_masks(pairs.landmarks[chosen], pairs.resolution)
    means, spreads, sums = [], [], np.zeros((5, 3))
    for index, mask in zip(chosen, masks, strict=True):
        inside = mask > 0
        x, y = pairs.render[index][inside].astype(np.float64), pairs.photo[index][inside].astype(np.float64)
        means.append(y.mean(0))
        spreads.append(y.std(0))
        # Each picture counts the same, however large its face.
        sums += np.stack([np.ones(3), x.mean(0), y.mean(0), (x * x).mean(0), (x * y).mean(0)])
    one, x_mean, y_mean, xx, xy = sums
    gain = (xy / one - x_mean * y_mean / one**2) / np.maximum(xx / one - (x_mean / one) ** 2, 1e-6)
    return ColourStatistics(
        mean=np.mean(means, 0), spread=np.mean(spreads, 0), gain=gain, offset=(y_mean - gain * x_mean) / one
    )


def give_colours(picture: Picture, mask: Mask, mean: NDArray[np.float64], spread: NDArray[np.float64]) -> Picture:
    """The picture, its channels moved and stretched so that inside the mask they have this mean and spread (3,)."""
    inside = mask > 0
    values = picture.astype(np.float64)
    own = values[inside]
    gain = spread / np.maximum(own.std(0), 1e-6)
    return _to_bytes((values - own.mean(0)) * gain + mean)


def match_colours(picture: Picture, truth: Picture, mask: Mask) -> Picture:
    """The picture with the truth's mean and spread inside the mask."""
    wanted = truth[mask > 0].astype(np.float64)
    return give_colours(picture, mask, wanted.mean(0), wanted.std(0))


def _to_bytes(values: NDArray[np.float64]) -> Picture:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


class ColourTransfer:
    """The oracle, and with statistics of training pairs the two that a user could have."""

    def __init__(self, statistics: ColourStatistics | None) -> None:
        self.statistics = statistics
        self.subjects = (ORACLE,) if statistics is None else (MEAN_CHANGE, MEAN_PHOTO, ORACLE)

    def make(self, batch: Batch) -> dict[str, Pictures]:
        """All three for a few pictures with truth."""
        assert batch.truths is not None
        assert batch.masks is not None
        made = {
            ORACLE.key: [match_colours(*three) for three in zip(batch.inputs, batch.truths, batch.masks, strict=True)]
        }
        known = self.statistics
        if known is not None:
            made[MEAN_CHANGE.key] = [_to_bytes(picture * known.gain + known.offset) for picture in batch.inputs]
            made[MEAN_PHOTO.key] = [
                give_colours(picture, mask, known.mean, known.spread)
                for picture, mask in zip(batch.inputs, batch.masks, strict=True)
            ]
        return {key: np.stack(pictures) for key, pictures in made.items()}
