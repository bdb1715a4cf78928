# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train photo`."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen

from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.training.adversarial import AdversarialSettings
from lifelike.training.augmentation.strength import AdaSettings
from lifelike.training.portraits import PortraitData
from lifelike.training.task import RunSettings


@frozen
class PhotoSettings:
    """Everything about a run.

    start: what to continue from instead of random weights: a network's file, the folder of a run, or a bundle. Its
        sizes are taken; its resolution must be `network.resolution`. A discriminator is taken where there is one.
    look: the data's pictures to learn from: "photo", "render", or "" for all.
    mirror: whether half of the pictures are shown mirrored.
    """

    start: str = ""
    look: Literal["photo", "render", ""] = ""
    mirror: bool = True  # faces have no handedness; stylegan2-ada-pytorch --mirror, used for FFHQ
    data: PortraitData = field(factory=PortraitData)
    network: GeneratorSettings = field(factory=GeneratorSettings)
    adversarial: AdversarialSettings = field(factory=AdversarialSettings)
    ada: AdaSettings = field(factory=AdaSettings)
    run: RunSettings = field(factory=RunSettings)
