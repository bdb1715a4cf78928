# SPDX-License-Identifier: GPL-3.0-or-later
"""Is it still the same person: what is told with every face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from lifelike_protocol.messages import Array, FaceResult

if TYPE_CHECKING:
    from lifelike.bundles.bundle import Bundle

SIMILARITY_WARNING = 0.5
"""Cosine below which a person is warned; different people of the built-in bundle's reserved set lie around 0."""

DRIFT_WARNING = 5.0
"""% of the inter-ocular distance above which a person is warned."""

SMALL_FACE = 48
"""Pixels between the outer corners of the eyes below which little can be done."""


@torch.inference_mode()
def portrait_similarity(bundle: Bundle, before: Array, after: Array) -> float | None:
    """Cosine of the two portraits' embeddings, −1…1; None without an identity network.

    before, after: (R, R, 3) float32, 0…1.
    """
    if bundle.identity is None:
        return None
    portraits = torch.from_numpy(np.stack([before, after])).permute(0, 3, 1, 2).to(bundle.device) * 2 - 1
    first, second = bundle.identity(portraits)
    return float((first * second).sum())


def landmark_drift(bundle: Bundle, before: Array, after: Array, landmarks: Array) -> float | None:
    """Mean distance of the 68 landmarks before and after, in % of the inter-ocular distance.

    The bundle's landmark network measures both portraits, so that its own error cancels for the most part.

    before, after: (R, R, 3) float32, 0…1; landmarks: (68, 2), portrait pixels, where the face was said to be.
    None without a landmark network.
    """
    if bundle.locator is None:
        return None
    first, second = (
        bundle.locator.landmarks_near(picture, landmarks).astype(np.float64) for picture in (before, after)
    )
    between_eyes = np.linalg.norm(first[36:42].mean(0) - first[42:48].mean(0))
    return float(100 * np.linalg.norm(first - second, axis=1).mean() / max(between_eyes, 1e-6))


def likeness_warnings(result: FaceResult, bundle: Bundle) -> tuple[str, ...]:
    """Sentences for a person about one face; empty when all is well."""
    warnings = []
    if result.identity_similarity is not None and result.identity_similarity < SIMILARITY_WARNING:
        warnings.append(
            f"The result may not look like the same person (identity similarity {result.identity_similarity:.2f})."
        )
    if result.landmark_drift is not None and result.landmark_drift > DRIFT_WARNING:
        warnings.append(f"The features moved by {result.landmark_drift:.1f} % of the distance between the eyes.")
    width = float(np.linalg.norm(result.landmarks[45] - result.landmarks[36]))
    if width < SMALL_FACE:
        warnings.append(f"The face is small ({width:.0f} pixels across the eyes): render it larger.")
    return tuple(warnings)
