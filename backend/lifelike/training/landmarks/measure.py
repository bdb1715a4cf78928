# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a face locator finds faces it never met, and their landmarks."""

from __future__ import annotations

import numpy as np

from lifelike.evaluation.landmark_error import inter_ocular, landmark_errors
from lifelike.networks.face_locator import FaceLocator
from lifelike.training.portraits import Portraits

MISSED = 25.0
"""Mean landmark error, in percent of the inter-ocular distance, from which a find is of something else."""


def measure(locator: FaceLocator, portraits: Portraits) -> dict[str, float]:
    """Over portraits with landmarks of one face each: recall, false alarms, landmark errors in percent of the
    inter-ocular distance."""
    locator.eval()
    errors, missed, extra = [], 0, 0
    for picture, truth in zip(portraits.pictures, portraits.landmarks, strict=True):
        found = locator.locate(picture.astype(np.float32) / 255)
        best = min((float(landmark_errors(points, truth).mean()) for points, _ in found), default=np.inf)
        hit = best < MISSED
        missed += not hit
        extra += len(found) - hit
        if hit:
            errors.append(best)
    measured = {
        "pictures": float(len(portraits)),
        "recall": 1 - missed / len(portraits),
        "false_alarms_per_picture": extra / len(portraits),
        "median_inter_ocular_pixels": float(np.median([inter_ocular(points) for points in portraits.landmarks])),
    }
    if errors:
        measured["median_error_percent"] = float(np.median(errors))
        measured["ninetieth_error_percent"] = float(np.quantile(errors, 0.9))
    return measured
