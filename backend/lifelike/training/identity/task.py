# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train identity`: ArcFace over the training identities, all looks of a person being one class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.weights import save_weights
from lifelike.training.identity.arcface import ArcFace, ArcFaceLearner
from lifelike.training.identity.measure import measure
from lifelike.training.identity.sampler import FaceSampler
from lifelike.training.identity.settings import IdentitySettings
from lifelike.training.portraits import UNKNOWN, read_portraits
from lifelike.training.supervised import SupervisedTask
from lifelike.training.task import Moment
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class IdentityTask(SupervisedTask):
    """Trains one identity network on everybody but the reserved identities."""

    kind = "identity"
    settings_class = IdentitySettings

    def __init__(self, settings: IdentitySettings, fabric: Fabric) -> None:
        self.settings = settings
        network = IdentityNetwork({"architecture": settings.architecture})
        portraits = read_portraits(settings.data, settings.resolution)
        portraits = portraits.select(portraits.person != UNKNOWN)
        held_out = portraits.held_out(settings.data.reserved)
        self.reserved = portraits.select(held_out)
        people = len(np.unique(portraits.person[~held_out]))
        if people < 2:
            what = f"The data sets show {people} known people besides the reserved ones; two are needed."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Add data sets that say who is in a picture.")
        self.sampler = FaceSampler(portraits.select(~held_out), settings.disturbance)
        how = settings.arcface
        arcface = ArcFace(self.sampler.people, network.settings["embedding"], how.scale, how.margin)
        learner = ArcFaceLearner(network, arcface, how.margin_from, how.margin_over)
        self.box, self.size = network.settings["box"], network.settings["input_size"]
        self.network = network
        super().__init__(fabric, settings.run, settings.optimiser, learner)

    def draw(self, count: int, moment: Moment) -> tuple[Tensor, ...]:
        return self.sampler.draw(count, self.box, self.size)

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        about = {**card, "people": self.sampler.people}
        if self.is_finished(card) and len(self.reserved):
            about["measured"] = measure(self.network, self.reserved)
        file = folder / "identity.safetensors"
        save_weights(file, self.network, "identity", about, self.settings.half)
        return [file]
