# SPDX-License-Identifier: GPL-3.0-or-later
"""Percentile bootstrap (Efron 1979) over people: how far a figure would move had other people been drawn.

Pictures of one person come or go together (the cluster bootstrap, e.g. Davison and Hinkley 1997, section 3.8). The
draws are made once and used for every figure, so that differences between subjects are paired.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.statistic import Statistic, Weights

LEAST_PEOPLE = 3
"""Below this no interval is given: there is next to nothing to draw from."""

COVERAGE = 0.95


def draws(people: int, resamples: int, seed: int) -> Weights:
    """(resamples, people): how often each person is drawn when as many as there are are drawn with replacement."""
    random = np.random.default_rng(seed)
    return random.multinomial(people, np.full(people, 1 / people), resamples).astype(np.float64)


def interval(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """The middle 95 % of resampled figures; (None, None) where too few of them exist."""
    known = values[np.isfinite(values)]
    if len(known) < 0.5 * len(values) or len(known) == 0:
        return None, None
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)


def estimate(
    statistic: Statistic, resampled: Weights, members: NDArray[np.bool_] | None = None
) -> tuple[float | None, float | None, float | None]:
    """A figure and its interval.

    Args:
        resampled: of `draws`.
        members: (P,) who counts; None: everybody. A group is drawn within the whole, so its size varies too.
    """
    people = resampled.shape[1]
    mask = np.ones(people, np.bool_) if members is None else members
    value = float(statistic.of(mask[None].astype(np.float64))[0])
    if not np.isfinite(value):
        return None, None, None
    if not statistic.resampled or mask.sum() < LEAST_PEOPLE:
        return value, None, None
    return (value, *interval(statistic.of(resampled * mask)))
