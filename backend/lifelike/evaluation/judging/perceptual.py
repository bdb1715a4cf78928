# SPDX-License-Identifier: GPL-3.0-or-later
"""LPIPS to the truth, by the public VGG16 of stylegan2-ada-pytorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lifelike.evaluation.judging.judge import PictureJudge, Shown, Values
from lifelike.evaluation.material import TRUTH, Batch, Pictures
from lifelike.evaluation.public_weights import load_script
from lifelike.evaluation.report import LOWER, Measure
from lifelike_protocol.errors import ErrorCode, LifelikeError


class Perceptual(PictureJudge):
    """Learned perceptual distance over the face: outside the polygon both pictures show the truth.

    Args:
        file: TorchScript, called as (pictures [N3RR] 0…255, resize_images, return_lpips) → (N, D); the squared distance
            of two answers is the LPIPS.

    Raises:
        LifelikeError: INVALID_FILE for a file that is no such network.
    """

    measures = (
        Measure(
            "lpips",
            "LPIPS to the truth",
            LOWER,
            "Learned perceptual distance over the face; outside the face polygon both pictures show the truth.",
            "Zhang et al. 2018, VGG16 of stylegan2-ada-pytorch",
        ),
    )

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.network = load_script(file, "The LPIPS network")
        try:
            answer = self._answer(np.full((1, 64, 64, 3), 128, np.uint8))
        except Exception as error:  # whatever a foreign network raises
            raise self._unsuitable(file) from error
        if answer.ndim != 2:
            raise self._unsuitable(file)

    def measure(self, batch: Batch, subject: str, pictures: Pictures, shown: Shown) -> dict[str, Values]:
        if subject == TRUTH or batch.truths is None or batch.masks is None:
            return {}
        face = np.where(batch.masks[..., None] > 0, pictures, batch.truths)
        distances = (self._answer(face) - self._answer(batch.truths)).square().sum(1)
        return {"lpips": distances.double().numpy()}

    @torch.no_grad()
    def _answer(self, pictures: Pictures) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
        answer: Tensor = self.network(tensor, resize_images=False, return_lpips=True)
        return answer

    @staticmethod
    def _unsuitable(file: Path) -> LifelikeError:
        return LifelikeError(
            ErrorCode.INVALID_FILE,
            f"The file {file} is no LPIPS network.",
            "Give --lpips the file vgg16.pt of stylegan2-ada-pytorch.",
        )
