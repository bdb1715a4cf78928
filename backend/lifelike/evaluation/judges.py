# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks that judge a bundle from outside. The look classifier is shipped here, so that anyone can evaluate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.look_classifier import LookClassifier
from lifelike.networks.weights import load_weights

LOOK_CLASSIFIER_FILE = Path(__file__).parent / "look_classifier.safetensors"

Answer = Callable[[Tensor], Tensor]
"""Portraits [N3RR] float32 −1…1 → an answer for each, (N, …)."""


def load_look_classifier(file: Path = LOOK_CLASSIFIER_FILE) -> LookClassifier:
    """The judge of looks.

    Raises:
        LifelikeError: INVALID_FILE when it is missing or damaged.
    """
    settings, state, _ = load_weights(file, "look_classifier")
    network = LookClassifier(settings)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def load_identity_judge(file: Path) -> IdentityNetwork:
    """A second identity network, e.g. of another seed, which the bundle was never trained against.

    Raises:
        LifelikeError: INVALID_FILE when it is missing or damaged.
    """
    settings, state, _ = load_weights(file, "identity")
    network = IdentityNetwork(settings)
    network.load_state_dict(state)
    return network.eval().requires_grad_(False)


def to_portraits(pictures: NDArray[np.uint8]) -> Tensor:
    """(N, R, R, 3) uint8 → (N, 3, R, R) float −1…1."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def to_pictures(portraits: Tensor) -> NDArray[np.uint8]:
    """(N, 3, R, R) float −1…1, clipped → (N, R, R, 3) uint8."""
    levels = ((portraits.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return levels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def apply(network: Answer, pictures: NDArray[np.uint8], batch: int = 32) -> NDArray[np.float32]:
    """A network's answers for (N, R, R, 3) uint8 pictures, in batches, without gradients."""
    parts = []
    with torch.no_grad():
        for start in range(0, len(pictures), batch):
            parts.append(network(to_portraits(pictures[start : start + batch])).float().cpu().numpy())
    return np.concatenate(parts)
