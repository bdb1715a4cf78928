# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of an encoder training, checked against each other before any work starts."""

from __future__ import annotations

import torch
from torch import Tensor

from lifelike.networks.encoder import Encoder
from lifelike.networks.stylegan2 import Generator
from lifelike.training.encoder.settings import EncoderTraining
from lifelike.training.networks import load_generator, load_small_encoder
from lifelike.training.pair.settings import encoder_settings
from lifelike_protocol.errors import ErrorCode, LifelikeError

SAMPLES = 8192
"""Drawn latents that the mean and spread of w are taken from."""


def frozen_generators(settings: EncoderTraining) -> tuple[Generator, Generator | None]:
    """G_render and, where one is named, G_photo.

    Raises:
        LifelikeError: INVALID_SETTING when none is named, or the two are no pair; else as `load_generator`.
    """
    if not settings.render:
        what = "No render generator is named to invert."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name one: --set render=RUN, a file or a bundle.")
    render = load_generator(settings.render, "render").eval().requires_grad_(False)
    if not settings.photo:
        return render, None
    photo = load_generator(settings.photo, "photo", render.settings.resolution).eval().requires_grad_(False)
    if photo.settings != render.settings:
        what = f"The generators of {settings.render} and {settings.photo} have other widths."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name the photo generator that the render one came from.")
    if not _same(render.mapping.state_dict(), photo.mapping.state_dict()):
        what = f"The generators of {settings.render} and {settings.photo} have different mapping networks."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name the photo generator that the render one came from.")
    return render, photo


def starting_encoder(settings: EncoderTraining, generator: Generator, mean: Tensor) -> Encoder:
    """A fresh encoder about the mean w, or the one to start from.

    Raises:
        LifelikeError: INVALID_SETTING when that one is for another generator; else as `load_small_encoder`.
    """
    sizes = generator.settings
    if not settings.start:
        encoder = Encoder(encoder_settings(sizes, settings.encoder))
        encoder.w_avg.copy_(mean)
        return encoder
    encoder = load_small_encoder(settings.start, sizes.resolution)
    own = encoder.settings
    wanted = tuple(sizes.channels(resolution) for resolution in own.feature_resolutions)
    if (own.num_ws, own.w_dim, own.feature_channels) != (sizes.num_ws, sizes.w_dim, wanted):
        what = f"The encoder of {settings.start} is for a generator of other widths than {settings.render}'s."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Choose another encoder, or leave start empty.")
    return encoder


@torch.no_grad()
def latent_statistics(generator: Generator) -> tuple[Tensor, float]:
    """Mean w [w_dim] and its mean variance, from latents drawn with a seed of their own."""
    z = torch.randn(SAMPLES, generator.settings.z_dim, generator=torch.Generator().manual_seed(0))
    w = generator.mapping(z)
    return w.mean(0), max(float(w.var(0).mean()), 1e-8)


def _same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two mapping networks are one; their running mean does not count."""
    return all(torch.equal(first[name], second[name]) for name in first if name != "w_avg")
