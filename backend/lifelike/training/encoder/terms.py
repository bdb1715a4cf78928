# SPDX-License-Identifier: GPL-3.0-or-later
"""What the encoder is held to, for x a render and w⁺ = E(x): G_render(w⁺) ≈ x, G_photo(w⁺) ≈ its photo look."""

from __future__ import annotations

from attrs import frozen
from torch import Tensor

from lifelike.networks.encoder import Latent
from lifelike.networks.identities import AnyIdentity
from lifelike.networks.stylegan2 import Generator
from lifelike.training.encoder.codes import offset_lengths
from lifelike.training.encoder.perceptual import Distance
from lifelike.training.encoder.renders import Batch
from lifelike.training.encoder.settings import EncoderWeights
from lifelike.training.losses.identity import identity
from lifelike.training.losses.reconstruction import pyramid_l1


@frozen
class Frozen:
    """The networks that stand still.

    render, photo: the generator pair, photo None where only renders are trained on.
    identity: embedder, or None. perceptual: distance of pictures, or None.
    spread: mean variance of w over its dimensions.
    """

    render: Generator
    photo: Generator | None
    identity: AnyIdentity | None
    perceptual: Distance | None
    spread: float


def encoder_terms(batch: Batch, latent: Latent, frozen: Frozen, weights: EncoderWeights) -> dict[str, Tensor]:
    """Every term that is on, without its weight."""
    x, ws = batch.render, latent.ws
    made = frozen.render.synthesis(ws, features=latent.features)
    terms = {"squares": (made - x).square().mean(), "offsets": offset_lengths(ws)}
    if weights.pyramid > 0:
        terms["pyramid"] = pyramid_l1(made, x, _everywhere(x))
    if frozen.perceptual is not None and weights.perceptual > 0:
        terms["perceptual"] = frozen.perceptual(made, x)
    if frozen.identity is not None and weights.identity > 0:
        terms["identity"] = identity(frozen.identity(made), frozen.identity(x).detach())
    if len(batch.drawn):
        apart = ws[len(ws) - len(batch.drawn) :] - batch.drawn[:, None]
        terms["latent"] = apart.square().mean() / frozen.spread
    if frozen.photo is not None and len(batch.photo):
        shown = {resolution: code[batch.paired] for resolution, code in latent.features.items()}
        photo = frozen.photo.synthesis(ws[batch.paired], features=shown)
        terms["photo"] = pyramid_l1(photo, batch.photo, _everywhere(photo))
        if frozen.perceptual is not None:
            terms["photo"] = terms["photo"] + weights.perceptual * frozen.perceptual(photo, batch.photo)
    return terms


def _everywhere(pictures: Tensor) -> Tensor:
    return pictures.new_ones(len(pictures), 1, *pictures.shape[2:])
