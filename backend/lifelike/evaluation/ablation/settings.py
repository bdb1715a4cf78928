# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike ablate`, and the variants it knows."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators

from lifelike.training.encoder.settings import EncoderTraining
from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.portraits import PortraitData
from lifelike.training.render.settings import RenderSettings

VARIANTS: dict[str, tuple[str, ...]] = {
    "all terms": (),
    "no adversarial term": ("render.terms.adversarial=0",),
    "no identity term": ("render.terms.identity=0",),
    "no geometry term": ("render.terms.geometry=0",),
    "no colour term": ("render.terms.colour=0",),
    "no structure term": ("render.terms.structure=0",),
    "no feature term": ("render.terms.features=0",),
    "free mapping": ("render.freezing.mapping=false",),
    "refined": ("refine_steps=30",),
}
"""Name and the settings that are changed. The first is what the others are compared with."""


@frozen
class AblationSettings:
    """Everything about an ablation.

    data: pairs of looks that the trainings learn from; measured on the people in `data.reserved`.
    generator: the photo generator (file, run or bundle); "" trains one first, with the settings in [photo].
    identity: an identity network (file, run or bundle) for the identity terms and the bundles; "" goes without.
    variants: which of the known ones, see `VARIANTS`; changes: further ones, a name and the changed settings each, such
        as ``"strong colour" = ["render.terms.colour=5"]``.
    method: how the bundles are applied.
    refine_steps: of `lifelike.inversion.refine` after the encoder; 0 is the encoder alone.
    pictures: at most so many are measured, evenly chosen; 0 takes all.
    photo, render, encoder: settings of the trainings. What is named above goes before what stands in them.
    """

    data: PortraitData = field(factory=PortraitData)
    generator: str = ""
    identity: str = "builtin"
    variants: tuple[str, ...] = tuple(VARIANTS)
    changes: dict[str, tuple[str, ...]] = field(factory=dict)
    method: Literal["decode", "difference"] = "decode"  # the paper's, as far as can be told
    refine_steps: int = field(default=0, validator=validators.ge(0))
    pictures: int = field(default=0, validator=validators.ge(0))
    photo: PhotoSettings = field(factory=PhotoSettings)
    render: RenderSettings = field(factory=RenderSettings)
    encoder: EncoderTraining = field(factory=EncoderTraining)
