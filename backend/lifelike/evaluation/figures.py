# SPDX-License-Identifier: GPL-3.0-or-later
"""From statistics to figures: for everybody, by group, the worst group's gap, and one subject against another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.bootstrap import LEAST_PEOPLE, estimate, interval
from lifelike.evaluation.material import INPUT, TRUTH
from lifelike.evaluation.report import (
    HIGHER,
    LOWER,
    NEAR_ONE,
    NEUTRAL,
    Comparison,
    Figure,
    Gap,
    GroupFigure,
    Measure,
    PictureValues,
)
from lifelike.evaluation.statistic import Statistic, Weights

Statistics = Mapping[tuple[str, str], Statistic]
"""By measure and subject."""
Divisions = Mapping[str, Mapping[str, NDArray[np.bool_]]]
"""By division and group: (P,) who belongs to it."""

SHARED_GAINS = ("psnr", "ssim")
"""Measures in which a share of another subject's gain over the untouched input says something."""


def figures_of(statistics: Statistics, resampled: Weights) -> tuple[Figure, ...]:
    """One figure for each measure and subject that has a value."""
    everybody = np.ones(resampled.shape[1], np.bool_)
    found = [_figure(key, statistic, resampled, everybody) for key, statistic in statistics.items()]
    return tuple(figure for figure in found if figure.value is not None)


def group_figures(statistics: Statistics, divisions: Divisions, resampled: Weights) -> tuple[GroupFigure, ...]:
    """The same for every group; figures that only a whole set has are left out."""
    found = []
    for division, groups in divisions.items():
        for group, members in groups.items():
            for key, statistic in statistics.items():
                if statistic.resampled:
                    found.append(GroupFigure(division, group, _figure(key, statistic, resampled, members)))
    return tuple(entry for entry in found if entry.figure.value is not None)


def _figure(key: tuple[str, str], statistic: Statistic, resampled: Weights, members: NDArray[np.bool_]) -> Figure:
    measure, subject = key
    value, low, high = estimate(statistic, resampled, members)
    pictures = statistic.count(members[None].astype(np.float64))
    return Figure(subject, measure, value, low, high, pictures, int(members.sum()))


def gap_figures(
    statistics: Statistics, divisions: Divisions, resampled: Weights, measures: Sequence[Measure]
) -> tuple[Gap, ...]:
    """For each subject, measure and division, the group that lies furthest behind the average of all.

    Groups of fewer than three people are left out: their figure says more about those people than about the group.
    """
    better = {measure.key: measure.better for measure in measures}
    gaps = []
    for (measure, subject), statistic in statistics.items():
        if not statistic.resampled or better[measure] == NEUTRAL:
            continue
        everybody = np.concatenate([np.ones((1, resampled.shape[1])), resampled])
        average = statistic.of(everybody)
        for division, groups in divisions.items():
            behind = {
                group: _shortfall(statistic.of(everybody * members), average, better[measure])
                for group, members in groups.items()
                if members.sum() >= LEAST_PEOPLE
            }
            known = {group: values for group, values in behind.items() if np.isfinite(values[0])}
            if len(known) > 1:
                worst = max(known, key=lambda group: float(known[group][0]))
                values = known[worst]
                gaps.append(Gap(subject, measure, division, worst, float(values[0]), *interval(values[1:])))
    return tuple(gaps)


def _shortfall(group: NDArray[np.float64], average: NDArray[np.float64], better: str) -> NDArray[np.float64]:
    """How far a group is behind the average, as a share of the average; negative where it is ahead.

    Of a ratio that should be 1: how much further from 1 it is.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        if better == LOWER:
            return np.asarray((group - average) / np.abs(average))
        if better == NEAR_ONE:
            return np.asarray(np.abs(group - 1) - np.abs(average - 1))
        return np.asarray((average - group) / np.abs(average))


def comparison_figures(
    statistics: Statistics, main: str, resampled: Weights, measures: Sequence[Measure]
) -> tuple[Comparison, ...]:
    """The main subject less each other one, on the same draws of people; the truth is compared with nothing."""
    sets = np.concatenate([np.ones((1, resampled.shape[1])), resampled])
    directed = {measure.key for measure in measures if measure.better in (HIGHER, LOWER)}
    values = {key: s.of(sets) for key, s in statistics.items() if s.resampled and key[0] in directed}
    found = []
    for (measure, subject), others in values.items():
        own = values.get((measure, main))
        if own is None or subject in (main, TRUTH):
            continue
        with np.errstate(invalid="ignore"):  # two infinite ones have no difference, and are left out below
            difference = own - others
        if not np.isfinite(difference[0]):
            continue
        found.append(
            Comparison(
                main,
                subject,
                measure,
                float(difference[0]),
                *interval(difference[1:]),
                *_share(values, measure, main, subject),
            )
        )
    return tuple(found)


def _share(
    values: Mapping[tuple[str, str], NDArray[np.float64]], measure: str, main: str, subject: str
) -> tuple[float | None, float | None, float | None]:
    """The main subject's gain over the untouched input as a share of another's, where that one gains at all."""
    untouched = values.get((measure, INPUT))
    if measure not in SHARED_GAINS or untouched is None or subject == INPUT:
        return None, None, None
    gain = values[measure, subject] - untouched
    if gain[0] <= 0:
        return None, None, None
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (values[measure, main] - untouched) / np.where(gain > 0, gain, np.nan)
    return (float(shares[0]), *interval(shares[1:]))


def picture_values(
    names: tuple[str, ...], person: NDArray[np.int64], values: Mapping[str, Mapping[str, NDArray[np.float64]]]
) -> PictureValues:
    """Every picture's own values, rounded to six digits."""
    table = {
        measure: {
            subject: [float(f"{value:.6g}") if np.isfinite(value) else None for value in own.tolist()]
            for subject, own in subjects.items()
        }
        for measure, subjects in values.items()
    }
    return PictureValues(names, tuple(person.tolist()), table)
