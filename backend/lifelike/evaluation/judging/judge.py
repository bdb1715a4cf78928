# SPDX-License-Identifier: GPL-3.0-or-later
"""What every judge does: look at a few pictures at a time, and give its numbers in the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
from attrs import field, frozen
from numpy.typing import NDArray

from lifelike.evaluation.material import Batch, Material, Pictures
from lifelike.evaluation.report import Histogram, Measure, Spectrum
from lifelike.evaluation.statistic import Mean, Median, Statistic

Shown = Mapping[str, Pictures]
"""The pictures (n, R, R, 3) of each subject, by key; the inputs and, where known, the truths among them."""

Values = NDArray[np.float64]
"""(N,) a picture's own values; NaN where there is none."""


@frozen(eq=False)
class Verdict:
    """What a judge found.

    statistics: by measure and subject. values: by measure, then subject, for measures that single pictures have.
    """

    statistics: dict[tuple[str, str], Statistic]
    values: dict[str, dict[str, Values]] = field(factory=dict)
    spectra: tuple[Spectrum, ...] = ()
    histograms: tuple[Histogram, ...] = ()


class Judge(ABC):
    """Measures every subject's pictures. Used for one evaluation, since it keeps what it has seen."""

    measures: tuple[Measure, ...]

    @abstractmethod
    def see(self, batch: Batch, shown: Shown) -> None:
        """Look at a few pictures of every subject."""

    @abstractmethod
    def verdict(self, material: Material) -> Verdict:
        """The numbers, once every batch has been seen."""


class PictureJudge(Judge):
    """A judge whose numbers are means or medians of what single pictures have.

    Subclasses say in ``medians`` which measures' medians are taken; the mean is of all others.
    """

    medians: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], list[Values]] = {}

    @abstractmethod
    def measure(self, batch: Batch, subject: str, pictures: Pictures, shown: Shown) -> dict[str, Values]:
        """A subject's values (n,) by measure; empty where a measure says nothing about that subject."""

    def see(self, batch: Batch, shown: Shown) -> None:
        for subject, pictures in shown.items():
            for measure, values in self.measure(batch, subject, pictures, shown).items():
                self._parts.setdefault((measure, subject), []).append(np.asarray(values, np.float64))

    def verdict(self, material: Material) -> Verdict:
        statistics: dict[tuple[str, str], Statistic] = {}
        values: dict[str, dict[str, Values]] = {}
        for (measure, subject), parts in self._parts.items():
            own = np.concatenate(parts)
            kind = Median if measure in self.medians else Mean
            statistics[measure, subject] = kind(own, material.person, material.people)
            values.setdefault(measure, {})[subject] = own
        return Verdict(statistics, values)
