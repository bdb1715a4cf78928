# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a look classifier parts the looks of people it never met."""

from __future__ import annotations

import numpy as np
import torch

from lifelike.datasets.pairs import Pairs
from lifelike.evaluation.judges import apply
from lifelike.evaluation.look_classifier.sampler import LookSampler
from lifelike.evaluation.recognition import area_under_curve
from lifelike.networks.look_classifier import LookClassifier


def measure(network: LookClassifier, pairs: Pairs, sampler: LookSampler | None = None) -> dict[str, float]:
    """Area under the ROC curve between the looks as they are and, with a sampler, under all disturbances."""
    network.eval()
    device = network.judge.weight.device
    render, photo = (apply(lambda seen: network(seen.to(device)), look) for look in (pairs.render, pairs.photo))
    measured = {
        "pictures": float(2 * len(pairs)),
        "roc_auc": area_under_curve(photo, render),
        "photo_called_photo": float(np.mean(photo > 0)),
        "render_called_photo": float(np.mean(render > 0)),
    }
    if sampler is not None:
        with torch.no_grad():
            batches = [sampler.draw(64, network) for _ in range(8)]
            logits = torch.cat([network.judge_crops(crops.to(device)).cpu() for crops, _ in batches]).numpy()
        labels = torch.cat([label for _, label in batches]).numpy() > 0
        measured["disturbed_roc_auc"] = area_under_curve(logits[labels], logits[~labels])
    return measured
