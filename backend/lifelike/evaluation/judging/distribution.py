# SPDX-License-Identifier: GPL-3.0-or-later
"""FID and KID to the photo looks, by the public Inception of stylegan2-ada-pytorch.

Both compare sets, not pictures: a set of wrong people in good light scores well. Under a few thousand pictures FID is
far too high (Bińkowski et al. 2018), so that only rows of one table can be compared; KID has no such bias.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lifelike.evaluation.judging.judge import Judge, Shown, Verdict
from lifelike.evaluation.material import TRUTH, Batch, Material, Pictures
from lifelike.evaluation.public_weights import load_script
from lifelike.evaluation.report import LOWER, Measure
from lifelike.evaluation.statistic import Statistic, WholeSet
from lifelike_protocol.errors import ErrorCode, LifelikeError

Features = NDArray[np.float64]
"""(N, D)."""


class Distribution(Judge):
    """Distances between the sets of features of a subject's pictures and of the truths.

    Args:
        file: TorchScript, called as (pictures [N3RR] uint8, return_features) → (N, D).

    Raises:
        LifelikeError: INVALID_FILE for a file that is no such network.
    """

    measures = (
        Measure(
            "fid",
            "FID to the photo looks",
            LOWER,
            "Distance of two sets of Inception features taken for Gaussians. Far too high for few pictures: compare "
            "rows of this table only. No interval.",
            "Heusel et al. 2017",
            digits=2,
        ),
        Measure(
            "kid",
            "KID to the photo looks (× 1000)",
            LOWER,
            "Squared maximum mean discrepancy of Inception features, cubic kernel, unbiased: around 0 for equal sets, "
            "below it by chance. No interval.",
            "Bińkowski et al. 2018",
            digits=2,
        ),
    )

    def __init__(self, file: Path) -> None:
        self.network = load_script(file, "The Inception network")
        self._parts: dict[str, list[Features]] = {}
        try:
            answer = self._features(np.full((1, 64, 64, 3), 128, np.uint8))
        except Exception as error:  # whatever a foreign network raises
            raise self._unsuitable(file) from error
        if answer.ndim != 2:
            raise self._unsuitable(file)

    def see(self, batch: Batch, shown: Shown) -> None:
        for subject, pictures in shown.items():
            self._parts.setdefault(subject, []).append(self._features(pictures))

    def verdict(self, material: Material) -> Verdict:
        features = {subject: np.concatenate(parts) for subject, parts in self._parts.items()}
        truths = features.pop(TRUTH)
        found: dict[tuple[str, str], Statistic] = {}
        if len(truths) > 1:
            for subject, own in features.items():
                found["fid", subject] = WholeSet(frechet_distance(own, truths), len(own))
                found["kid", subject] = WholeSet(1000 * kernel_distance(own, truths), len(own))
        return Verdict(found)

    @torch.no_grad()
    def _features(self, pictures: Pictures) -> Features:
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).contiguous()
        answer: Features = self.network(tensor, return_features=True).double().numpy()
        return answer

    @staticmethod
    def _unsuitable(file: Path) -> LifelikeError:
        return LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The file {file} is no Inception network.",
            "Give --inception the file inception-2015-12-05.pt of stylegan2-ada-pytorch.",
        )


def frechet_distance(first: Features, second: Features) -> float:
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½), of two sets of at least two features each.

    tr (Σ₁Σ₂)^½ is the sum of the singular values of A₁A₂ᵀ, the sets centred and divided by √(n − 1): exact, and without
    a D × D root when there are few pictures.
    """
    centred = [(part - part.mean(0)) / np.sqrt(len(part) - 1) for part in (first, second)]
    traces = sum(float((part**2).sum()) for part in centred)
    if len(first) <= first.shape[1]:
        product = centred[0] @ centred[1].T
    else:
        product = _root(centred[0].T @ centred[0]) @ _root(centred[1].T @ centred[1])
    common = float(np.linalg.svd(product, compute_uv=False).sum())
    return float(((first.mean(0) - second.mean(0)) ** 2).sum()) + traces - 2 * common


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root of a covariance matrix."""
    values, vectors = np.linalg.eigh(covariance)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def kernel_distance(first: Features, second: Features) -> float:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y / D + 1)³."""
    width = first.shape[1]

    def mean_kernel(a: Features, b: Features, within: bool) -> float:
        total = 0.0
        for start in range(0, len(a), 512):
            total += float(((a[start : start + 512] @ b.T / width + 1) ** 3).sum())
        if within:
            total -= float((((a**2).sum(1) / width + 1) ** 3).sum())
            return total / (len(a) * (len(a) - 1))
        return total / (len(a) * len(b))

    return mean_kernel(first, first, True) + mean_kernel(second, second, True) - 2 * mean_kernel(first, second, False)
