# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train landmarks`; the defaults are those of the built-in bundle's locator."""

from __future__ import annotations

from attrs import field, frozen

from lifelike.training.portraits import PortraitData
from lifelike.training.supervised import AdamWSettings
from lifelike.training.task import RunSettings


@frozen
class SceneSettings:
    """What is drawn in each update, all tried out for a CPU.

    frame: side in pixels of a made-up frame for the detector; the locator looks at frames of 192 and 448.
    crops: crops for the landmark regressor to each frame.
    others: folder of PNGs with alpha that show no face (hands, heads from behind, things); "" for none.
    """

    frame: int = 192
    crops: int = 4
    others: str = ""


@frozen
class LandmarkWeights:
    """Weights of the terms, tried out: heat and shape are the detector's, points and face the regressor's."""

    heat: float = 1.0
    shape: float = 1.0
    points: float = 4.0
    face: float = 0.3


@frozen
class LandmarkSettings:
    """Everything `lifelike train landmarks` can be told.

    start: a locator to continue from: a file, a run's folder, or a bundle; "" begins anew.
    resolution: side in pixels at which portraits are read. A run's pictures and batch count frames.
    """

    start: str = ""
    resolution: int = 256
    half: bool = False  # store fp16
    data: PortraitData = field(factory=PortraitData)
    scenes: SceneSettings = field(factory=SceneSettings)
    weights: LandmarkWeights = field(factory=LandmarkWeights)
    optimiser: AdamWSettings = field(factory=lambda: AdamWSettings(rate=2e-3, decay=0.01, clip=5.0))
    # 1656 updates of 6 frames and 24 crops made the built-in locator.
    run: RunSettings = field(factory=lambda: RunSettings(pictures=10_000, batch=6, save_every=1_200))
