# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers over people that can be counted more than once or not at all: what groups and resampling both need.

Pictures of one person are alike, so an interval that treated them as independent would be too narrow. Everything is
therefore weighed by person: ``weights`` (B, P) say how often each of P people is counted in each of B sets. All ones
give the figure itself, a mask gives a group's, random counts give the bootstrap's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
"""(B, P)."""


class Statistic(ABC):
    """A number that follows from which people are counted how often."""

    resampled = True
    """False where an interval would mislead or cost too much: only the figure itself is given."""

    @abstractmethod
    def of(self, weights: Weights) -> NDArray[np.float64]:
        """(B, P) → (B,); NaN where nothing is counted."""

    @abstractmethod
    def count(self, weights: Weights) -> int:
        """How many pictures the figure of the first set rests on."""


class Mean(Statistic):
    """Mean of the pictures' values; those that are NaN are left out."""

    def __init__(self, values: NDArray[np.float64], person: NDArray[np.int64], people: int) -> None:
        known = np.isfinite(values)
        self.sums = np.bincount(person[known], values[known], people)
        self.counts = np.bincount(person[known], minlength=people).astype(np.float64)

    def of(self, weights: Weights) -> NDArray[np.float64]:
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ self.sums) / (weights @ self.counts))

    def count(self, weights: Weights) -> int:
        return int(weights[0] @ self.counts)


class Median(Statistic):
    """Median of the pictures' values; those that are NaN are left out."""

    def __init__(self, values: NDArray[np.float64], person: NDArray[np.int64], people: int) -> None:
        known = np.flatnonzero(np.isfinite(values))
        order = known[np.argsort(values[known], kind="stable")]
        self.values, self.person = values[order], person[order]

    def of(self, weights: Weights) -> NDArray[np.float64]:
        if len(self.values) == 0:
            return np.full(len(weights), np.nan)
        medians = np.empty(len(weights))
        for start in range(0, len(weights), 64):  # bounded memory: 64 · N numbers at a time
            counted = weights[start : start + 64, self.person].cumsum(1)
            half = counted[:, -1:] / 2
            lower, upper = (counted >= half).argmax(1), (counted > half).argmax(1)
            found = (self.values[lower] + self.values[upper]) / 2
            medians[start : start + 64] = np.where(counted[:, -1] > 0, found, np.nan)
        return medians

    def count(self, weights: Weights) -> int:
        return int(weights[0, self.person].sum())


class WholeSet(Statistic):
    """A figure of the whole set that cannot be had by person, such as FID."""

    resampled = False

    def __init__(self, value: float, pictures: int) -> None:
        self.value, self.pictures = value, pictures

    def of(self, weights: Weights) -> NDArray[np.float64]:
        return np.where((weights == 1).all(1), self.value, np.nan)

    def count(self, weights: Weights) -> int:
        return self.pictures
