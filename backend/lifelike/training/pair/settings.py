# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the paired training. The defaults are those of the built-in bundle's run (docs/results.md)."""

from __future__ import annotations

from attrs import field, frozen

from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike.training.task import RunSettings


@frozen
class PairData:
    """What is trained on.

    pairs: data sets with both looks. faces: data sets of renders without a photo look.
    reserved: identities never trained on, such as "0-79".
    share_faces: share of a batch that comes from `faces`.
    cache: folder for decoded pictures; "" decodes at each start.
    """

    pairs: tuple[str, ...] = ()
    faces: tuple[str, ...] = ()
    reserved: str = "0-79"  # held out by the paired heads' makers and by this project
    share_faces: float = 0.15  # reconstructed: enough to see the example avatar, pairs still lead
    cache: str = ""


@frozen
class EncoderSizes:
    """Widths of the encoder; what depends on the generator is taken from it (`encoder_settings`)."""

    width: int = 24  # chosen for a CPU: 4.2 M parameters
    width_max: int = 128
    patch: int = 2  # 256 px at the cost of 128 px
    feature_resolutions: tuple[int, ...] = (32, 64, 128)  # Yao et al. use one; more give finer places


@frozen
class PairRates:
    """Steps of the optimisers (Adam)."""

    encoder: float = 5e-4  # pSp and e4e take 1e-4 over far more steps
    generators: float = 1.5e-3  # StyleGAN2 takes 2e-3 on weights four times as large, see `weight_size`
    discriminator: float = 2e-3  # StyleGAN2
    weight_size: float = 0.25  # of the modulated convolutions at the start, see `shrink_weights`
    warm_up: int = 100  # updates until the full rate
    decay_from: float = 0.75  # share of the run after which rates fall along a cosine, to a twentieth
    average: float = 2000.0  # half-life in pictures; StyleGAN2-ADA's 10 kimg is longer than such a short run bears


@frozen
class PairWeights:
    """Weights of the terms; all reconstructed, chosen on the reserved pictures' look, never on their figures."""

    render: float = 1.0
    photo: float = 1.0
    difference: float = 4.0  # what is shown
    texture: float = 4.0
    detail: float = 0.1  # moves the energy of fine detail from 0.80 of the truth's to about 1
    texture_unpaired: float = 0.3  # share of the texture and detail terms for renders whose photo look is not known
    adversarial: float = 0.03
    adversarial_from: int = 0  # pictures seen before the discriminator has a say
    adversarial_rise: int = 1000  # pictures over which its say grows
    r1_gamma: float = 0.1  # StyleGAN2-ADA's rule gives 1.6 at 256 px and batch 8; a stretched fine band needs less
    r1_every: int = 16  # StyleGAN2, lazy regularisation
    identity: float = 0.3  # pSp and e4e take 0.1–0.5
    offsets: float = 2e-3  # e4e: 2e-4 on a sum; here on a mean
    feature_drop: float = 0.05  # share of portraits inverted by W+ alone, so that W+ carries the person


def _generator() -> GeneratorSettings:
    return GeneratorSettings(resolution=256, channel_base=3072, channel_max=96)


@frozen
class PairSettings:
    """Everything about a run.

    start: a bundle (name or path) of the same widths to start from, of the same resolution or a smaller one; "" starts
        from nothing.
    identity: an identity network (file, run or bundle) for the identity term; "" leaves the term out.
    """

    run: RunSettings = field(factory=RunSettings)
    data: PairData = field(factory=PairData)
    generator: GeneratorSettings = field(factory=_generator)
    encoder: EncoderSizes = field(factory=EncoderSizes)
    rates: PairRates = field(factory=PairRates)
    weights: PairWeights = field(factory=PairWeights)
    start: str = ""
    identity: str = ""


def encoder_settings(generator: GeneratorSettings, sizes: EncoderSizes) -> EncoderSettings:
    """The settings of an encoder of these widths for that generator."""
    resolutions = tuple(r for r in sizes.feature_resolutions if r <= generator.resolution // sizes.patch)
    return EncoderSettings(
        resolution=generator.resolution,
        patch=sizes.patch,
        num_ws=generator.num_ws,
        w_dim=generator.w_dim,
        width=sizes.width,
        width_max=sizes.width_max,
        feature_resolutions=resolutions,
        feature_channels=tuple(generator.channels(r) for r in resolutions),
    )
