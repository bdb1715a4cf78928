# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a picture is taken for a photo, by a classifier trained apart from every bundle."""

from __future__ import annotations

import numpy as np

from lifelike.evaluation.judges import Answer, apply
from lifelike.evaluation.judging.judge import PictureJudge, Shown, Values, Verdict
from lifelike.evaluation.material import INPUT, Batch, Material, Pictures
from lifelike.evaluation.report import HIGHER, Measure
from lifelike.evaluation.score_curve import ScoreCurve


class Look(PictureJudge):
    """Share called photo, and how surely a subject is told from the inputs."""

    measures = (
        Measure(
            "look",
            "called a photo",
            HIGHER,
            "Share of pictures that the look classifier calls photo. It was trained apart, and no bundle with it.",
            "a two-class network trained on the paired heads",
        ),
        Measure(
            "look_auc",
            "told from the renders (AUC)",
            HIGHER,
            "Chance that the look classifier finds a picture more of a photo than a render input. The truth's row is "
            "the classifier's own test, on the data's own two looks.",
            "Mann and Whitney 1947",
        ),
    )

    def __init__(self, classifier: Answer) -> None:
        super().__init__()
        self.classifier = classifier
        self._logits: dict[str, list[Values]] = {}

    def measure(self, batch: Batch, subject: str, pictures: Pictures, shown: Shown) -> dict[str, Values]:
        logits = apply(self.classifier, pictures).astype(np.float64)
        self._logits.setdefault(subject, []).append(logits)
        return {"look": (logits > 0).astype(np.float64)}

    def verdict(self, material: Material) -> Verdict:
        found = super().verdict(material)
        logits = {subject: np.concatenate(parts) for subject, parts in self._logits.items()}
        inputs = logits.pop(INPUT)
        for subject, own in logits.items():
            found.statistics["look_auc", subject] = ScoreCurve(own, inputs, material.person, material.people)
        return found
