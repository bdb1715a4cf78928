# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the features of a face move from the input to the output."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lifelike.evaluation.judging.judge import PictureJudge, Shown, Values
from lifelike.evaluation.landmark_error import landmark_errors
from lifelike.evaluation.material import INPUT, Batch, Pictures
from lifelike.evaluation.report import LOWER, Measure

LANDMARK_ERROR = "landmark_error"

Points = NDArray[np.float32]
"""(68, 2) pixels."""


class Locator(Protocol):
    """A landmark network, e.g. `FaceLocator`."""

    def locate(self, display: NDArray[np.float32]) -> list[tuple[NDArray[np.float32], float]]:
        """Faces of a display frame (H, W, 3) 0…1, surest first."""

    def landmarks_near(self, display: NDArray[np.float32], landmarks: NDArray[np.float64]) -> NDArray[np.float32]:
        """Landmarks of a face known to be about there."""


class Drift(PictureJudge):
    """Located landmarks, against those located in the input and against the known ones.

    The same network looks at input and output, at the same place, so that what it always does wrong cancels.
    """

    measures = (
        Measure(
            "drift",
            "landmark drift",
            LOWER,
            "Mean distance of the 68 landmarks from those located in the input, in % of the distance of the outer eye "
            "corners; median of the pictures. The truth's row is what the locator itself wavers between the looks.",
            "normalised as in 300-W, Sagonas et al. 2016",
            unit="%",
            digits=2,
        ),
        Measure(
            LANDMARK_ERROR,
            "error of the located landmarks",
            LOWER,
            "The same distance from the landmarks known from the scene: how good the locator is at all.",
            "normalised as in 300-W, Sagonas et al. 2016",
            unit="%",
            digits=2,
        ),
    )
    medians = frozenset({"drift", LANDMARK_ERROR})

    def __init__(self, locator: Locator) -> None:
        super().__init__()
        self.locator = locator
        self._before: list[Points | None] = []

    def see(self, batch: Batch, shown: Shown) -> None:
        self._before = [self._located(*pair) for pair in zip(shown[INPUT], batch.landmarks, strict=True)]
        super().see(batch, shown)

    def measure(self, batch: Batch, subject: str, pictures: Pictures, shown: Shown) -> dict[str, Values]:
        after = self._before
        if subject != INPUT:
            after = [self._located(*pair) for pair in zip(pictures, batch.landmarks, strict=True)]
        measured = {}
        if subject != INPUT:
            measured["drift"] = _distances(after, self._before)
        if np.isfinite(batch.landmarks).all():
            measured[LANDMARK_ERROR] = _distances(after, list(batch.landmarks))
        return measured

    def _located(self, picture: NDArray[np.uint8], known: Points) -> Points | None:
        display = picture.astype(np.float32) / np.float32(255)
        if np.isfinite(known).all():
            return self.locator.landmarks_near(display, known.astype(np.float64))
        found = self.locator.locate(display)
        return found[0][0] if found else None


def _distances(moved: list[Points | None], still: list[Points | None]) -> Values:
    """Mean landmark error of each picture, NaN where a face was not found in both."""
    return np.array(
        [np.nan if a is None or b is None else landmark_errors(a, b).mean() for a, b in zip(moved, still, strict=True)],
        np.float64,
    )
