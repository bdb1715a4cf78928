# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train encoder`.

The form is e4e's (Tov et al., arXiv 2102.02766), whose defaults stand where there are any. That the paper inverts with
such an encoder is reconstructed.
"""

from __future__ import annotations

from attrs import field, frozen, validators

from lifelike.training.pair.settings import EncoderSizes
from lifelike.training.portraits import PortraitData
from lifelike.training.task import RunSettings


@frozen
class DrawnSettings:
    """Pictures that the render generator makes of drawn latents: pairs of picture and latent that cost nothing.

    share: of each batch; 1 needs no data set. truncation: of the drawn latents; 1 draws all the mapping network gives.
    """

    share: float = field(default=0.25, validator=[validators.ge(0.0), validators.le(1.0)])  # reconstructed
    truncation: float = 1.0


@frozen
class ProgressiveSettings:
    """When in the run (0…1) the second layer gets an offset of its own, and when the last one does.

    An encoder that is continued has them all from its first step.

    e4e (section 4.1.1, and its published training): from 20 000 of 200 000 steps, one layer more each 2000.
    """

    begins: float = 0.1
    ends: float = 0.28


@frozen
class EncoderWeights:
    """Weights of the terms; 0 leaves a term out.

    squares: mean squared error of G_render(E(x)) against x. pyramid: L1 at four sizes of the same.
    perceptual: distance of activations, see `perceptual.py`. identity: 1 − cos of embeddings.
    offsets: length of each layer's offset from the first layer's w. critic: latent discriminator.
    latent: squared error of the codes of drawn pictures, in variances of w.
    photo: G_photo(E(x)) against the photo look of x, where the data has it: pyramid and perceptual.
    """

    squares: float = 1.0  # e4e
    pyramid: float = 0.5  # reconstructed: its coarse sizes come right early, which a short run needs
    perceptual: float = 0.8  # e4e (LPIPS)
    identity: float = 0.1  # e4e; pSp 0.1, others up to 0.5
    offsets: float = 2e-4  # e4e (delta regularisation)
    critic: float = 0.1  # e4e
    latent: float = 0.1  # reconstructed
    photo: float = 1.0  # ours


@frozen
class EncoderRates:
    """Optimisers (Adam) and the latent discriminator's regularisation.

    rate: of the encoder, after a warm-up of a twentieth of the run, falling along a cosine.
    critic: of the latent discriminator. r1, r1_every: its gradient penalty and the updates between two.
    clip: largest gradient norm.
    """

    rate: float = 5e-4  # e4e 1e-4 over 200 000 steps; a short run needs more
    critic: float = 2e-5  # e4e
    r1: float = 10.0  # e4e
    r1_every: int = field(default=16, validator=validators.ge(1))  # e4e
    clip: float = 1.0  # reconstructed


def _sizes() -> EncoderSizes:
    return EncoderSizes(feature_resolutions=())


@frozen
class EncoderTraining:
    """Everything about a run.

    render: the generator to invert: a network's file, the folder of a run, or a bundle.
    photo: its twin, for pairs of looks; "" leaves the photo side out.
    start: an encoder to continue from (file, run or bundle); "" begins anew with the sizes of [encoder].
    identity: an identity network (file, run or bundle); "" leaves the identity term out.
    discriminator: one trained on renders (file or run), for the perceptual term.
    lpips: LPIPS as TorchScript (vgg16.pt of stylegan2-ada-pytorch), for the perceptual term instead.
    feature_drop: share of portraits whose feature code is silenced, so that W+ carries the person.
    """

    render: str = ""
    photo: str = ""
    start: str = ""
    identity: str = ""
    discriminator: str = ""
    lpips: str = ""
    feature_drop: float = 0.05  # as the paired training
    data: PortraitData = field(factory=PortraitData)
    drawn: DrawnSettings = field(factory=DrawnSettings)
    encoder: EncoderSizes = field(factory=_sizes)  # a plain W+ code, e4e's
    progressive: ProgressiveSettings = field(factory=ProgressiveSettings)
    weights: EncoderWeights = field(factory=EncoderWeights)
    rates: EncoderRates = field(factory=EncoderRates)
    run: RunSettings = field(factory=RunSettings)
