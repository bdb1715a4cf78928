# SPDX-License-Identifier: GPL-3.0-or-later
"""How well embeddings tell people apart. Cosines of unit vectors throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]  # (N, D), each of length 1
Labels = NDArray[np.int64]  # (N,)


@dataclass(frozen=True)
class Separation:
    """Cosines of the same person beside those of different people.

    same, different: means. roc_auc: chance that a same-person cosine is above a different-person one.
    accepted_at_1_percent: share of same-person cosines above the threshold that lets 1 % of strangers pass.
    """

    same: float
    different: float
    roc_auc: float
    accepted_at_1_percent: float


def rank_one(
    queries: Embeddings, who: Labels, gallery: Embeddings, gallery_who: Labels, exclude: NDArray | None = None
) -> float:
    """Share of queries whose nearest gallery entry (highest cosine) is the same person.

    Args:
        exclude: (queries, gallery) bool, true where an entry may not be chosen for a query.
    """
    cosines = queries @ gallery.T
    if exclude is not None:
        cosines = np.where(exclude, -2.0, cosines)
    return float(np.mean(gallery_who[cosines.argmax(1)] == who))


def separation(
    queries: Embeddings, who: Labels, gallery: Embeddings, gallery_who: Labels, exclude: NDArray | None = None
) -> Separation:
    """Every query against every gallery entry; `exclude` as in `rank_one`."""
    cosines = queries @ gallery.T
    alike = who[:, None] == gallery_who[None]
    counted = np.ones_like(alike) if exclude is None else ~exclude
    same, different = cosines[alike & counted], cosines[~alike & counted]
    threshold = np.quantile(different, 0.99)
    return Separation(
        same=float(same.mean()),
        different=float(different.mean()),
        roc_auc=area_under_curve(same, different),
        accepted_at_1_percent=float(np.mean(same > threshold)),
    )


def area_under_curve(positives: NDArray, negatives: NDArray) -> float:
    """Chance that a positive's score is above a negative's, ties counting half (Mann–Whitney)."""
    scores = np.concatenate([positives, negatives]).astype(np.float64)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    total = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(total / (len(positives) * len(negatives)))
