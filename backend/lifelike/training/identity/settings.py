# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train identity`; the defaults are those of the built-in bundle's network."""

from __future__ import annotations

from attrs import field, frozen

from lifelike.training.portraits import PortraitData
from lifelike.training.supervised import AdamWSettings
from lifelike.training.task import RunSettings


@frozen
class ArcFaceSettings:
    """ArcFace's scale and margin (radians), and when in the run (0…1) the margin begins and has grown.

    The paper has scale 64 and margin 0.5 for 85 000 people; for a few hundred both are smaller (tried out), and the
    margin waits until the classes lie apart (reconstructed; without, small networks did not begin to learn).
    """

    scale: float = 20.0
    margin: float = 0.35
    margin_from: float = 0.35
    margin_over: float = 0.4


@frozen
class DisturbanceSettings:
    """What of a picture says nothing about who it is, and is therefore drawn at random (all tried out).

    turn: degrees. size, shift: shares. hue, brightness: as `lifelike.training.disturbance.jitter_colour`.
    blur: largest standard deviation, pixels. backdrop: share of pictures set before another background.
    """

    turn: float = 6.0
    size: float = 0.07
    shift: float = 0.04
    hue: float = 0.06
    brightness: float = 0.18
    blur: float = 1.6
    backdrop: float = 0.7


@frozen
class IdentitySettings:
    """Everything `lifelike train identity` can be told.

    architecture: "residual" (the bundles' own) or "plain" (the evaluation's independent judge).
    resolution: side in pixels at which portraits are read.
    """

    architecture: str = "residual"
    resolution: int = 128
    half: bool = False  # store fp16
    data: PortraitData = field(factory=PortraitData)
    arcface: ArcFaceSettings = field(factory=ArcFaceSettings)
    disturbance: DisturbanceSettings = field(factory=DisturbanceSettings)
    optimiser: AdamWSettings = field(factory=AdamWSettings)
    # 1868 updates of 48 made the built-in network.
    run: RunSettings = field(factory=lambda: RunSettings(pictures=90_000, batch=48))
