# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train look`: render look or photo look?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from lifelike.datasets.identities import identity_range
from lifelike.datasets.pairs import load_pairs
from lifelike.evaluation.look_classifier.measure import measure
from lifelike.evaluation.look_classifier.sampler import LookSampler
from lifelike.evaluation.look_classifier.settings import LookSettings
from lifelike.networks.look_classifier import LookClassifier
from lifelike.networks.weights import save_weights
from lifelike.training.supervised import SupervisedTask
from lifelike.training.task import Moment
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class LookLearner(nn.Module):
    """The classifier with its loss: inner faces and labels in, cross entropy out."""

    def __init__(self, network: LookClassifier, smoothing: float) -> None:
        super().__init__()
        self.network, self.smoothing = network, smoothing

    def forward(self, crops: Tensor, looks: Tensor, fraction: float) -> tuple[Tensor, dict[str, Tensor]]:
        """Inner faces (N, 3, S, S) −1…1 and labels (N,), 1: photo look; ``fraction`` plays no part."""
        logits = self.network.judge_crops(crops.contiguous(memory_format=torch.channels_last))
        with torch.autocast(crops.device.type, enabled=False):
            target = looks * (1 - 2 * self.smoothing) + self.smoothing
            loss = functional.binary_cross_entropy_with_logits(logits.float(), target)
        return loss, {"right": ((logits > 0) == (looks > 0)).float().mean()}


class LookTask(SupervisedTask):
    """Trains a look classifier on both looks of everybody but the reserved people."""

    kind = "look"
    settings_class = LookSettings

    def __init__(self, settings: LookSettings, fabric: Fabric) -> None:
        self.settings = settings
        if not settings.data.folders:
            what = "No data set is named to train on."
            raise LifelikeError(
                ErrorCode.INVALID_SETTING, what, "Name one with both looks: --set 'data.folders=[\"DIR\"]'."
            )
        cache = Path(settings.data.cache) if settings.data.cache else None
        pairs = load_pairs([Path(folder) for folder in settings.data.folders], settings.resolution, cache)
        reserved = identity_range(settings.data.reserved)
        training, self.reserved = pairs.training(reserved), pairs.reserved(reserved)
        if len(training) == 0:
            what = "Every pair of the data sets shows a reserved person."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Add data sets, or change data.reserved.")
        self.sampler = LookSampler(training)
        self.network = LookClassifier()
        self.pool: list[tuple[Tensor, Tensor]] = []  # crops as bytes, labels
        super().__init__(fabric, settings.run, settings.optimiser, LookLearner(self.network, settings.smoothing))

    def draw(self, count: int, moment: Moment) -> tuple[Tensor, ...]:
        if len(self.pool) < self.settings.pool or torch.rand(()) < self.settings.fresh:
            force = min(1.0, moment.fraction / self.settings.disturbed_by)
            crops, looks = self.sampler.draw(count, self.network, force)
            self.pool = [*self.pool, (((crops + 1) * 127.5).round().byte(), looks)][-self.settings.pool :]
        stored, looks = self.pool[int(torch.randint(len(self.pool), ()))]
        crops = stored.float() / 127.5 - 1
        return (crops.flip(3) if torch.rand(()) < 0.5 else crops), looks

    def state(self) -> dict[str, Any]:
        return {**super().state(), "pool": self.pool}

    def restore(self, state: dict[str, Any]) -> None:
        super().restore(state)
        self.pool = [(crops, looks) for crops, looks in state["pool"]]

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        about = dict(card)
        if self.is_finished(card) and len(self.reserved):
            about["measured"] = measure(self.network, self.reserved, LookSampler(self.reserved))
        file = folder / "look_classifier.safetensors"
        save_weights(file, self.network, "look_classifier", about, half=True)
        return [file]
