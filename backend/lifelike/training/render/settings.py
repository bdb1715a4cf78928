# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train render`."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators

from lifelike.training.adversarial import AdversarialSettings
from lifelike.training.augmentation.strength import AdaSettings
from lifelike.training.portraits import PortraitData
from lifelike.training.task import RunSettings


@frozen
class TermSettings:
    """Weights of the terms and what they look at, the table ``[terms]``. A weight of 0 leaves a term out.

    adversarial: against renders.
    identity: 1 − cos of the identity network's embeddings of the copy's and the parent's picture.
    geometry: L1 between edge responses; geometry_scales: at so many scales, from half the resolution down.
    colour: over the face; colour_form: "lab" (L1 of low-passed Lab) or "histogram" (RGB-uv).
    structure: coarse RGB outputs, after structure_resolutions.
    features: activations, after feature_resolutions; none named: all.
    paired: where a photo look of the render is in the data, L1 pyramid between the copy's picture of its latent and the
        render; needs `encoder`.
    """

    adversarial: float = 1.0  # stylegan2-ada
    identity: float = 1.0  # DualStyleGAN (arXiv 2203.13248)
    geometry: float = 1.0  # reconstructed; only a start, see [balance]
    colour: float = 1.0  # reconstructed; only a start, see [balance]
    structure: float = 1.0  # Cartoon-StyleGAN (arXiv 2106.12445)
    features: float = 0.05  # FixNoise (arXiv 2204.14079)
    paired: float = 1.0  # ours
    geometry_scales: int = field(default=3, validator=validators.ge(1))  # reconstructed: half, quarter, eighth
    colour_form: Literal["lab", "histogram"] = "lab"  # reconstructed: says where a colour is too
    structure_resolutions: tuple[int, ...] = (8, 16)  # Cartoon-StyleGAN: layers 1 and 2 after the constant
    feature_resolutions: tuple[int, ...] = ()  # FixNoise: every block


@frozen
class BalanceSettings:
    """How weights set themselves, the table ``[balance]``.

    terms: those that do. every: updates between two measurements, after the first few; 0: never.
    low, high: where a term's gradient norm is brought to, in adversarial gradient norms.
    memory: share that stays of a running norm when a new one is measured.
    """

    terms: tuple[str, ...] = ("geometry", "colour")  # those without a published weight
    every: int = field(default=100, validator=validators.ge(0))  # measuring costs about two updates
    low: float = field(default=0.1, validator=validators.gt(0.0))  # the band weights are tuned to by hand
    high: float = 1.0  # the same
    memory: float = field(default=0.8, validator=[validators.ge(0.0), validators.lt(1.0)])  # about five measurements


@frozen
class FreezingSettings:
    """What stands still, the table ``[freezing]``, and for which share of the run.

    mapping: whether the mapping network stays the parent's. The method needs it; False is for ablations.
    blocks: resolutions whose layers stand still; blocks_until: for this share of the run.
    to_rgb: resolutions whose ToRGB stands still; to_rgb_until: for this share of the run.
    discriminator_blocks: how many of the discriminator's first blocks, from the full resolution down, stand still;
        discriminator_until: for this share of the run.
    """

    mapping: bool = True  # StyleAlign (arXiv 2110.11323): what aligned generators share most
    blocks: tuple[int, ...] = ()  # StyleAlign: convolutions change most in a transfer, so none stand still
    blocks_until: float = 1.0
    to_rgb: tuple[int, ...] = ()
    to_rgb_until: float = 1.0
    discriminator_blocks: int = field(default=0, validator=validators.ge(0))  # FreezeD (arXiv 2002.10964) takes 4
    discriminator_until: float = 1.0


@frozen
class RenderSettings:
    """Everything about a run.

    start: the photo generator: a network's file, the folder of a run, or a bundle.
    discriminator: a network's file or the folder of a run; "": the start's, and a fresh one where that has none.
    identity: an identity network: a file, the folder of a run, or a bundle; "" leaves the term out.
    encoder: an encoder (file, run or bundle) that inverts photos into W+ of the photo generator, for the paired term;
        "" leaves the term out.
    look: the data's pictures to learn from: "render" (of a data set that states no looks, all), "photo", "" for all.
    mirror: whether half of the renders are shown mirrored.
    """

    start: str = ""
    discriminator: str = ""
    identity: str = ""
    encoder: str = ""
    look: Literal["photo", "render", ""] = "render"
    mirror: bool = True  # faces have no handedness; stylegan2-ada-pytorch --mirror, used for FFHQ
    data: PortraitData = field(factory=PortraitData)
    adversarial: AdversarialSettings = field(factory=AdversarialSettings)
    terms: TermSettings = field(factory=TermSettings)
    balance: BalanceSettings = field(factory=BalanceSettings)
    freezing: FreezingSettings = field(factory=FreezingSettings)
    ada: AdaSettings = field(factory=AdaSettings)
    run: RunSettings = field(factory=RunSettings)
