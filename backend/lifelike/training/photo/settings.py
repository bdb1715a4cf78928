# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train photo`."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators

from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.training.augmentation.strength import AdaSettings
from lifelike.training.portraits import PortraitData
from lifelike.training.task import RunSettings


@frozen
class AdversarialSettings:
    """StyleGAN2's updates, the table ``[adversarial]`` of a configuration.

    learning_rate: Adam's for the generator; 0 for the first and 0.99 for the second moment.
    discriminator_rate: the discriminator's.
    r1_gamma: weight of the R1 penalty; not given: 0.0002 · resolution² / batch.
    r1_every: updates between two R1 penalties; 0: never.
    path_weight: of the path length penalty.
    path_every: updates between two path length penalties; 0: never.
    path_share: share of the batch that the path length is measured on.
    style_mixing: probability that a picture's later layers get another w.
    average: half-life of the averaged generator, in pictures.
    average_ramp: the half-life's largest share of the pictures seen so far.
    """

    learning_rate: float = 2.5e-3  # stylegan2-ada-pytorch train.py, "auto" below 1024 pixels
    discriminator_rate: float = 2.5e-3  # the same
    r1_gamma: float | None = None  # the same: 0.0002 · res² / batch
    r1_every: int = field(default=16, validator=validators.ge(0))  # arXiv 1912.04958, appendix B
    path_weight: float = 2.0  # stylegan2-ada-pytorch training/loss.py, pl_weight
    path_every: int = field(default=4, validator=validators.ge(0))  # stylegan2-ada-pytorch, G_reg_interval
    path_share: float = field(default=0.5, validator=validators.gt(0.0))  # stylegan2-ada-pytorch, pl_batch_shrink 2
    style_mixing: float = 0.9  # arXiv 1812.04948, section 3.1
    average: float = 10_000.0  # arXiv 2006.06676, appendix D
    average_ramp: float = 0.05  # stylegan2-ada-pytorch train.py, ema_rampup of "auto"


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
