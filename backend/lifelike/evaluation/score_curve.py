# SPDX-License-Identifier: GPL-3.0-or-later
"""Area under the ROC curve between two sets of scores, for any weighting of the people."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.separation import area_under_histograms
from lifelike.evaluation.statistic import Statistic, Weights

BINS = 2000
"""Beyond so many different scores, neighbours share a bin of equal counts."""


class ScoreCurve(Statistic):
    """Chance that a picture of the first set scores above one of the second, ties counting half.

    Args:
        positives, negatives: (N,) scores of the same pictures' two versions. person: (N,) who is in them.
    """

    def __init__(
        self, positives: NDArray[np.float64], negatives: NDArray[np.float64], person: NDArray[np.int64], people: int
    ) -> None:
        edges = np.unique(np.concatenate([positives, negatives]))
        if len(edges) > BINS:
            edges = np.unique(np.quantile(edges, np.linspace(0, 1, BINS)))
        size = len(edges)

        def table(scores: NDArray[np.float64]) -> NDArray[np.float64]:
            bins = np.searchsorted(edges, scores)
            return np.bincount(person * size + bins, minlength=people * size).reshape(people, size).astype(np.float64)

        self.positives, self.negatives = table(positives), table(negatives)

    def of(self, weights: Weights) -> NDArray[np.float64]:
        return area_under_histograms(weights @ self.positives, weights @ self.negatives)

    def count(self, weights: Weights) -> int:
        return int((weights[0] @ self.positives).sum())
