# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured side by side: every way to make a picture from an input, and the input and the truth themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from lifelike.bundles.bundle import Bundle
from lifelike.evaluation.judges import to_pictures, to_portraits
from lifelike.evaluation.material import INPUT, TRUTH, Batch, Pictures
from lifelike.evaluation.report import Subject
from lifelike.inversion import invert
from lifelike.transfer import Transfer
from lifelike_protocol.messages import Method

UNTOUCHED = Subject(INPUT, "untouched input", "reference", "The render as it is.")
TRUE_PHOTO = Subject(TRUTH, "truth", "reference", "The same shot in the photo look.")

WAYS = {
    Method.DIFFERENCE: (
        "difference",
        "The input plus what the two generators disagree on: x + G_photo(w) − G_render(w).",
    ),
    Method.DECODE: (
        "decode (single generator)",
        "Inverted and decoded with the photo generator alone, G_photo(w): the paper's way, as far as can be told.",
    ),
}
INVERSION = Subject(
    "inversion", "inversion", "reference", "Inverted and decoded with the render generator: what the latent holds."
)


class Producer(Protocol):
    """Makes the pictures of one or several subjects."""

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """What it makes."""

    def make(self, batch: Batch) -> dict[str, Pictures]:
        """The pictures (n, R, R, 3) uint8 of each subject, by key."""


class BundleProducer:
    """A bundle by several methods, inverting each portrait once.

    Args:
        methods: the first is what a user gets; the others are shown as baselines. One alone in single-generator mode.
        strength: 0…1.
    """

    def __init__(self, bundle: Bundle, methods: Sequence[Method], strength: float = 1.0) -> None:
        self.bundle, self.strength = bundle, strength
        self.transfer = Transfer(bundle)
        self.methods = tuple(methods)
        made = [
            Subject(method.value, WAYS[method][0], "bundle" if place == 0 else "baseline", WAYS[method][1])
            for place, method in enumerate(self.methods)
        ]
        # With one generator alone, that is its decode.
        self.subjects = tuple(made) if bundle.single else (*made, INVERSION)

    @torch.inference_mode()
    def make(self, batch: Batch) -> dict[str, Pictures]:
        """The portraits by the pipeline's own portrait path."""
        portraits = to_portraits(batch.inputs)
        latent = invert(self.bundle, portraits)
        made = {
            method.value: to_pictures(self.transfer.apply(portraits, latent, method, self.strength))
            for method in self.methods
        }
        if self.bundle.single:
            return made
        inverted = self.bundle.inverted.synthesis(latent.ws, features=latent.features)
        return {**made, INVERSION.key: to_pictures(inverted)}
