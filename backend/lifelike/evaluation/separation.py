# SPDX-License-Identifier: GPL-3.0-or-later
"""Same person against different people, over thousands of pictures and for any weighting of the people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.recognition import ROWS, Embeddings, Labels
from lifelike.evaluation.statistic import Statistic, Weights

BINS = 2000
"""Of cosines from −1 to 1: fine enough that binning moves an area under the curve by less than 0.001."""


class CosineTable:
    """Cosines of one person's pictures beside those of different people, kept by person of the query.

    Each query is compared with every gallery picture but the one at its own place.
    """

    def __init__(self, queries: Embeddings, gallery: Embeddings, who: Labels, people: int) -> None:
        self.same = np.zeros((people, BINS), np.float32)
        self.different = np.zeros((people, BINS), np.float32)
        self.queries = np.bincount(who, minlength=people)
        for start in range(0, len(queries), ROWS):
            rows = np.arange(start, min(start + ROWS, len(queries)))
            cosines = queries[rows] @ gallery.T
            bins = np.clip(((cosines + 1) * (BINS / 2)).astype(np.int64), 0, BINS - 1) + BINS * who[rows][:, None]
            alike = who[rows][:, None] == who[None]
            counted = np.arange(len(gallery))[None] != rows[:, None]
            for counts, chosen in ((self.same, alike & counted), (self.different, ~alike)):
                counts += np.bincount(bins[chosen], minlength=people * BINS).reshape(people, BINS)

    def histogram(self, bins: int) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Edges (bins + 1) and the shares (bins) of same-person and different-person cosines."""
        shares = [
            counts.sum(0).reshape(bins, -1).sum(1) / max(counts.sum(), 1) for counts in (self.same, self.different)
        ]
        return np.linspace(-1, 1, bins + 1), shares[0], shares[1]


class AreaUnderCurve(Statistic):
    """Chance that a cosine with the same person is above one with a stranger, ties counting half (Mann–Whitney).

    Resampled by the query's person; the gallery stays.
    """

    def __init__(self, table: CosineTable) -> None:
        self.table = table

    def of(self, weights: Weights) -> NDArray[np.float64]:
        return area_under_histograms(weights @ self.table.same, weights @ self.table.different)

    def count(self, weights: Weights) -> int:
        return int(weights[0] @ self.table.queries)


class Sensitivity(Statistic):
    """d′: distance of the two means in units of the spread, (μ_same − μ_different) / √((σ²_same + σ²_different) / 2).

    Green and Swets, "Signal Detection Theory and Psychophysics", 1966. Resampled as `AreaUnderCurve`.
    """

    def __init__(self, table: CosineTable) -> None:
        self.table = table

    def of(self, weights: Weights) -> NDArray[np.float64]:
        means, variances = zip(
            *(_moments(weights @ counts) for counts in (self.table.same, self.table.different)), strict=True
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((means[0] - means[1]) / np.sqrt((variances[0] + variances[1]) / 2))

    def count(self, weights: Weights) -> int:
        return int(weights[0] @ self.table.queries)


def _moments(histograms: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    centres = (np.arange(BINS) + 0.5) * (2 / BINS) - 1
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = histograms / histograms.sum(1, keepdims=True)
    means = shares @ centres
    return means, np.maximum(shares @ centres**2 - means**2, 0)


def area_under_histograms(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> NDArray[np.float64]:
    """Area under the ROC curve from counts (B, K) in bins of rising score; NaN without positives or negatives."""
    below = negatives.cumsum(1) - negatives / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((positives * below).sum(1) / (positives.sum(1) * negatives.sum(1)))
