# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether it is still the same person, by one identity network."""

from __future__ import annotations

import numpy as np
from attrs import evolve

from lifelike.evaluation.embedder import Embedder
from lifelike.evaluation.judging.judge import Judge, Shown, Values, Verdict
from lifelike.evaluation.material import INPUT, Batch, Material
from lifelike.evaluation.recognition import Embeddings, nearest_is_right, other_pose_gallery
from lifelike.evaluation.report import HIGHER, Histogram, Measure
from lifelike.evaluation.separation import AreaUnderCurve, CosineTable, Sensitivity
from lifelike.evaluation.statistic import Mean, Statistic

HISTOGRAM_BINS = 50


class Identity(Judge):
    """Cosine to the input, same person against different people, and rank 1."""

    def __init__(self, embedder: Embedder) -> None:
        self.embedder = embedder
        self.measures = _measures(embedder)
        self._parts: dict[str, list[Embeddings]] = {}

    def see(self, batch: Batch, shown: Shown) -> None:
        for subject, pictures in shown.items():
            self._parts.setdefault(subject, []).append(self.embedder.embed(pictures))

    def verdict(self, material: Material) -> Verdict:
        embeddings = {subject: np.concatenate(parts) for subject, parts in self._parts.items()}
        inputs, who, people = embeddings[INPUT], material.person, material.people
        key = self.embedder.key
        excluded = other_pose_gallery(material.pose, who)
        askable = (~excluded & (who[:, None] == who[None])).any(1)
        statistics: dict[tuple[str, str], Statistic] = {}
        values: dict[str, dict[str, Values]] = {}
        histograms = []
        for subject, own in embeddings.items():
            found: dict[str, Values] = {}
            if subject != INPUT:
                found[f"{key}.cosine"] = (own * inputs).sum(1).astype(np.float64)
                if people > 1:
                    found[f"{key}.rank_one"] = nearest_is_right(own, who, inputs, who)
            if people > 1 and askable.any():
                right = nearest_is_right(own, who, inputs, who, excluded)
                found[f"{key}.rank_one_other_pose"] = np.where(askable, right, np.nan)
                table = CosineTable(own, inputs, who, people)
                statistics[f"{key}.auc", subject] = AreaUnderCurve(table)
                statistics[f"{key}.sensitivity", subject] = Sensitivity(table)
                histograms.append(self._histogram(subject, table))
            for measure, per_picture in found.items():
                statistics[measure, subject] = Mean(per_picture, who, people)
                values.setdefault(measure, {})[subject] = per_picture
        return Verdict(statistics, values, histograms=tuple(histograms))

    def _histogram(self, subject: str, table: CosineTable) -> Histogram:
        edges, same, different = (tuple(part.tolist()) for part in table.histogram(HISTOGRAM_BINS))
        return Histogram(self.embedder.key, subject, edges, same, different)


_MEASURES = (
    Measure(
        "cosine",
        "identity similarity",
        HIGHER,
        "Cosine of the embeddings of a picture and its own input.",
        "ArcFace, Deng et al. 2019",
    ),
    Measure(
        "auc",
        "same against different people (AUC)",
        HIGHER,
        "Chance that the cosine with another input of the same person is above the one with a stranger's.",
        "Mann and Whitney 1947",
    ),
    Measure(
        "sensitivity",
        "same against different people (d′)",
        HIGHER,
        "Distance of the two mean cosines in units of their spread.",
        "Green and Swets 1966",
        digits=2,
    ),
    Measure(
        "rank_one",
        "rank 1 among all inputs",
        HIGHER,
        "Share of pictures whose nearest input, their own one among them, is the same person.",
        "closed-set identification",
    ),
    Measure(
        "rank_one_other_pose",
        "rank 1 in another pose",
        HIGHER,
        "The same with one input a person, in another pose than the picture's: the harder question.",
        "closed-set identification",
    ),
)


def _measures(embedder: Embedder) -> tuple[Measure, ...]:
    """The measures as this network's."""
    return tuple(
        evolve(measure, key=f"{embedder.key}.{measure.key}", judge=embedder.title, judge_note=embedder.meaning)
        for measure in _MEASURES
    )
