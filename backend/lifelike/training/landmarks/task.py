# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train landmarks`: detector and landmark regressor side by side, on made-up frames.

Landmarks projected from a head's mesh are right also where hair hides them, so renders teach them well.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from lifelike.networks.face_locator import FaceLocator
from lifelike.networks.weights import save_weights
from lifelike.training.landmarks.crops import FaceCrops
from lifelike.training.landmarks.learner import LocatorLearner
from lifelike.training.landmarks.material import cut_out, load_others
from lifelike.training.landmarks.measure import measure
from lifelike.training.landmarks.scenes import DetectorScenes, mean_face
from lifelike.training.landmarks.settings import LandmarkSettings
from lifelike.training.landmarks.sheet import draw_sheet
from lifelike.training.networks import load_locator
from lifelike.training.portraits import Portraits, joined, read_each
from lifelike.training.supervised import SupervisedTask
from lifelike.training.task import Moment
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


class LandmarksTask(SupervisedTask):
    """Trains a face locator on every labelled portrait but those of reserved people."""

    kind = "landmarks"
    settings_class = LandmarkSettings

    def __init__(self, settings: LandmarkSettings, fabric: Fabric) -> None:
        self.settings = settings
        self.locator = load_locator(settings.start) if settings.start else FaceLocator()
        training, self.reserved = read_labelled(settings)
        self.shown = joined([*self.reserved.values()]) if self.reserved else training
        heads = cut_out(training)
        if not settings.start:
            self.locator.mean_shape.copy_(mean_face(training.landmarks))
        fit = self.locator.fit(torch.view_as_real(heads.points))
        others = load_others(Path(settings.scenes.others)) if settings.scenes.others else None
        self.scenes = DetectorScenes(heads, fit, others)
        self.crops = FaceCrops(heads, fit, others, self.locator.settings["margin"])
        self.crop_size = self.locator.regressor.settings["crop_size"]
        super().__init__(fabric, settings.run, settings.optimiser, LocatorLearner(self.locator, settings.weights))

    def draw(self, count: int, moment: Moment) -> tuple[Tensor, ...]:
        how = self.settings.scenes
        return *self.scenes.draw(count, how.frame), *self.crops.draw(count * how.crops, self.crop_size)

    def sheet(self) -> Image.Image:
        return draw_sheet(self.locator, self.shown)

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        about = {**card, "cutouts": len(self.scenes.heads)}
        if self.is_finished(card):
            about["measured"] = {name: measure(self.locator, part) for name, part in self.reserved.items()}
        file = folder / "locator.safetensors"
        save_weights(file, self.locator, "locator", about, self.settings.half)
        return [file]


def read_labelled(settings: LandmarkSettings) -> tuple[Portraits, dict[str, Portraits]]:
    """Portraits with landmarks: (those to train on, the reserved people's of each data set by its name).

    Raises:
        LifelikeError: INVALID_SETTING when there is none to train on; else as `read_portraits`.
    """
    training, reserved = [], {}
    for folder, everybody in zip(settings.data.folders, read_each(settings.data, settings.resolution), strict=True):
        portraits = everybody.select(everybody.labelled)
        held_out = portraits.held_out(settings.data.reserved)
        training.append(portraits.select(~held_out))
        if held_out.any():
            reserved[Path(folder).name] = portraits.select(held_out)
    everything = joined(training)
    if len(everything) == 0:
        what = "No picture of the data sets has landmarks, but for the reserved people's."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Add data sets with landmarks, or change data.reserved.")
    return everything, reserved
