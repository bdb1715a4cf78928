# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle whose latents are refined after the encoder, as something to measure."""

from __future__ import annotations

import torch

from lifelike.bundles import Bundle
from lifelike.evaluation.judges import to_pictures, to_portraits
from lifelike.evaluation.material import Batch, Pictures
from lifelike.evaluation.report import Subject
from lifelike.inversion import invert, refine
from lifelike.transfer import Transfer
from lifelike_protocol.messages import Method

REFINED = "refined"


class RefinedProducer:
    """The bundle by one method, its latents refined by so many steps."""

    def __init__(self, bundle: Bundle, method: Method, steps: int) -> None:
        self.bundle, self.method, self.steps = bundle, method, steps
        self.transfer = Transfer(bundle)
        meaning = f"The encoder's latent, refined by {steps} steps on each portrait."
        self.subjects = (Subject(REFINED, "refined latent", "baseline", meaning),)

    def make(self, batch: Batch) -> dict[str, Pictures]:
        """Its pictures."""
        portraits = to_portraits(batch.inputs)
        latent = refine(self.bundle, portraits, invert(self.bundle, portraits), self.steps)
        with torch.inference_mode():
            return {REFINED: to_pictures(self.transfer.apply(portraits, latent, self.method))}
