# SPDX-License-Identifier: GPL-3.0-or-later
"""How near each picture is to the truth, over the face polygon (jaw line and brows)."""

from __future__ import annotations

import numpy as np

from lifelike.evaluation.closeness import psnr, ssim
from lifelike.evaluation.judging.judge import PictureJudge, Shown, Values
from lifelike.evaluation.material import TRUTH, Batch, Pictures
from lifelike.evaluation.report import HIGHER, Measure

PSNR_CEILING = 100.0
"""dB given to equal pictures, whose PSNR is infinite, so that a mean stays a number."""


class Nearness(PictureJudge):
    """PSNR and SSIM."""

    measures = (
        Measure(
            "psnr",
            "PSNR to the truth",
            HIGHER,
            "Peak signal-to-noise ratio over the face polygon; blur is punished little by it.",
            "10 log₁₀(255² / MSE)",
            unit="dB",
            digits=2,
        ),
        Measure(
            "ssim",
            "SSIM to the truth",
            HIGHER,
            "Structural similarity over the face polygon: local contrast and structure, hardly colour.",
            "Wang et al. 2004, by scikit-image",
        ),
    )

    def measure(self, batch: Batch, subject: str, pictures: Pictures, shown: Shown) -> dict[str, Values]:
        if subject == TRUTH or batch.truths is None or batch.masks is None:
            return {}
        triples = list(zip(pictures, batch.truths, batch.masks, strict=True))
        return {
            "psnr": np.array([min(psnr(*triple), PSNR_CEILING) for triple in triples]),
            "ssim": np.array([ssim(*triple) for triple in triples]),
        }
