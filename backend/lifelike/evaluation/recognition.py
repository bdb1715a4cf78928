# SPDX-License-Identifier: GPL-3.0-or-later
"""How well embeddings tell people apart. Cosines of unit vectors throughout."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Embeddings = NDArray[np.float32]
"""(N, D), each of length 1."""
Labels = NDArray[np.int64]
"""(N,) who is in the picture."""

ROWS = 512
"""Queries compared with the gallery at a time, so that thousands of pictures need no N × N array."""


def nearest_is_right(
    queries: Embeddings, who: Labels, gallery: Embeddings, gallery_who: Labels, exclude: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """(N,) 1 where the nearest gallery entry (highest cosine) is the same person, else 0: rank-1 identification.

    Args:
        exclude: (queries, gallery) bool, true where an entry may not be chosen for a query.
    """
    right = np.empty(len(queries))
    for start in range(0, len(queries), ROWS):
        part = slice(start, start + ROWS)
        cosines = queries[part] @ gallery.T
        if exclude is not None:
            cosines = np.where(exclude[part], -2.0, cosines)
        right[part] = gallery_who[cosines.argmax(1)] == who[part]
    return right


def other_pose_gallery(pose: Labels, who: Labels) -> NDArray[np.bool_]:
    """(N, N) true where a gallery entry may not be chosen: only each person's next pose after the query's stays.

    Poses are taken in a circle, so every pose of the set serves as gallery equally often. A person without that pose
    stands with the pose after it; a person with one picture only is in nobody's way and in nobody's gallery.
    """
    excluded = np.ones((len(pose), len(pose)), np.bool_)
    poses = np.unique(pose)
    columns = {own: _entries(pose, who, np.roll(poses, -int(np.searchsorted(poses, own)) - 1)[:-1]) for own in poses}
    for query, own in enumerate(pose):
        excluded[query, columns[own]] = False
    return excluded


def _entries(pose: Labels, who: Labels, wanted: Labels) -> NDArray[np.int64]:
    """One picture of each person: of the first of the wanted poses that there is."""
    order = np.full(int(pose.max()) + 1, len(wanted))
    order[wanted] = np.arange(len(wanted))
    known = np.flatnonzero(order[pose] < len(wanted))
    ranked = known[np.lexsort((order[pose[known]], who[known]))]
    return ranked[np.unique(who[ranked], return_index=True)[1]]


def area_under_curve(positives: NDArray, negatives: NDArray) -> float:
    """Chance that a positive's score is above a negative's, ties counting half (Mann–Whitney)."""
    scores = np.concatenate([positives, negatives]).astype(np.float64)
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    total = ranks[: len(positives)].sum() - len(positives) * (len(positives) + 1) / 2
    return float(total / (len(positives) * len(negatives)))
