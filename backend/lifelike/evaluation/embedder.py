# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that say who is in a picture: the bundle's, a second one of our own, and anybody's ONNX or TorchScript."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from attrs import frozen
from numpy.typing import NDArray

from lifelike.bundles.bundle import Bundle
from lifelike.evaluation.judges import Answer, apply, load_identity_judge
from lifelike.evaluation.material import Pictures

SECOND_IDENTITY_FILE = Path(__file__).parent / "second_identity.safetensors"
"""An identity network of another architecture and seed that no bundle was trained with."""


@frozen(eq=False)
class Embedder:
    """One identity network.

    key: short, part of the measures' keys. title: for people. meaning: where it comes from.
    answer: [N3RR] float32 −1…1 portraits → (N, D), of any length.
    """

    key: str
    title: str
    meaning: str
    answer: Answer

    def embed(self, pictures: Pictures) -> NDArray[np.float32]:
        """(N, R, R, 3) → (N, D) of length 1."""
        vectors = apply(self.answer, pictures)
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def bundle_embedder(bundle: Bundle) -> Embedder | None:
    """The bundle's own identity network, None where it has none."""
    network = bundle.identity
    if network is None:
        return None
    return Embedder(
        "bundle",
        "the bundle's network",
        "Where it was part of the training loss, its figures flatter the bundle.",
        lambda portraits: network(portraits.to(bundle.device)),
    )


def second_embedder(file: Path = SECOND_IDENTITY_FILE) -> Embedder | None:
    """Our second identity network, None where it is not installed.

    Raises:
        LifelikeError: INVALID_FILE for a damaged file.
    """
    if not file.exists():
        return None
    return Embedder(
        "second",
        "the second network",
        "Another architecture and seed; it took no part in training the bundle.",
        load_identity_judge(file),
    )
