# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the baseline's training."""

from __future__ import annotations

from attrs import field, frozen

from lifelike.networks.unet import UNetSettings
from lifelike.training.task import RunSettings


@frozen
class UnetData:
    """What is trained on: data sets with both looks, identities never trained on, a folder for decoded pictures."""

    pairs: tuple[str, ...] = ()
    reserved: str = "0-79"  # held out by the paired heads' makers and by this project
    cache: str = ""


@frozen
class UnetSettings:
    """Everything about a run.

    rate: highest learning rate of Adam. average: half-life in pictures of the averaged weights, which are what is
    measured.
    """

    run: RunSettings = field(factory=RunSettings)
    data: UnetData = field(factory=UnetData)
    network: UNetSettings = field(factory=UNetSettings)
    rate: float = 1e-3  # Adam's own (Kingma and Ba, arXiv 1412.6980)
    average: float = 2000.0  # as the bundle's paired training
