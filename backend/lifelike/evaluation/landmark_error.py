# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances between two sets of 68 landmarks, in percent of the inter-ocular distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

OUTER_EYE_CORNERS = (36, 45)


def inter_ocular(landmarks: NDArray) -> float:
    """Distance of the outer eye corners of (68, 2) landmarks, in their pixels."""
    right, left = landmarks[list(OUTER_EYE_CORNERS)]
    return float(np.hypot(*(left - right)))


def landmark_errors(landmarks: NDArray, truth: NDArray) -> NDArray[np.float64]:
    """Distance of each landmark from its truth, in percent of the truth's inter-ocular distance.

    Args:
        landmarks, truth: (68, 2) pixels of the same picture.

    Returns:
        (68,) percent; infinite when the truth's eyes coincide.
    """
    distance = inter_ocular(truth)
    if distance == 0:
        return np.full(len(truth), np.inf)
    return np.linalg.norm(np.asarray(landmarks, np.float64) - truth, axis=1) * (100 / distance)
