# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together into one bundle."""

from __future__ import annotations

from typing import Any

import torch

from lifelike.bundles.bundle import Bundle, empty_bundle
from lifelike.bundles.card import BundleCard
from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.encoders import AnyEncoder
from lifelike.networks.face_locator import FaceLocator
from lifelike.networks.identities import AnyIdentity
from lifelike.networks.stylegan2 import Generator
from lifelike_protocol.errors import ErrorCode, LifelikeError


def assemble_bundle(
    photo: Generator,
    render: Generator | None = None,
    encoder: AnyEncoder | None = None,
    identity: AnyIdentity | None = None,
    locator: FaceLocator | None = None,
    **card: Any,
) -> Bundle:
    """A bundle of these networks, which it shares the tensors of.

    Args:
        photo: the photo generator.
        render: of the same sizes, with the same mapping network and noise buffers; None: single-generator mode.
        encoder: for generators of these sizes; None: the bundle can only generate.
        identity, locator: may be left out.
        card: the other fields of `BundleCard`: name, description, licence, …

    Raises:
        LifelikeError: INVALID_BUNDLE when the networks do not belong together.
    """
    if render is not None:
        check_pair(photo, render)
    if encoder is not None:
        check_encoder(encoder, photo)
    bundle = empty_bundle(
        BundleCard(
            generator=photo.settings,
            encoder=None if encoder is None else encoder.settings,
            identity=None if identity is None else dict(identity.settings),
            locator=None if locator is None else dict(locator.settings),
            pair=render is not None,
            **card,
        )
    )
    parts = {
        "mapping": photo.mapping,
        "photo": photo.synthesis,
        "render": None if render is None else render.synthesis,
        "encoder": encoder,
        "identity": identity,
        "locator": locator,
    }
    state = {f"{name}.{key}": value for name, part in parts.items() if part for key, value in part.state_dict().items()}
    names = set(bundle.tensors())
    bundle.load_tensors({key: value for key, value in state.items() if key in names})
    return bundle


def check_pair(photo: Generator, render: Generator) -> None:
    """Raise INVALID_BUNDLE unless the two generators share sizes, mapping network and noise buffers."""
    if photo.settings != render.settings:
        raise _refusal(f"the generators have other sizes ({photo.settings} and {render.settings})")
    mine, other = photo.state_dict(), render.state_dict()
    for key, value in mine.items():
        shared = key.startswith("mapping.") or key.endswith("noise_const")
        if shared and not torch.allclose(value.float(), other[key].float(), atol=1e-3):
            raise _refusal(f"{key} differs between the generators, which must share it")


def check_encoder(encoder: AnyEncoder, generator: Generator) -> None:
    """Raise INVALID_BUNDLE unless the encoder's latents fit the generator."""
    mine, its = encoder.settings, generator.settings
    if (mine.num_ws, mine.w_dim) != (its.num_ws, its.w_dim):
        raise _refusal(
            f"the encoder makes {mine.num_ws} × {mine.w_dim} latents, and the generators of {its.resolution} pixels "
            f"take {its.num_ws} × {its.w_dim}"
        )
    if mine.resolution > its.resolution:
        raise _refusal(f"the encoder reads {mine.resolution} pixels, more than the generators' {its.resolution}")
    if isinstance(mine, EncoderSettings):
        wanted = tuple(its.channels(resolution) for resolution in mine.feature_resolutions)
        if mine.feature_channels != wanted:
            raise _refusal(
                f"the encoder's feature codes have {mine.feature_channels} channels, the generators {wanted}"
            )


def _refusal(why: str) -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_BUNDLE,
        f"These networks make no bundle: {why}.",
        "Give a photo generator, the render generator trained from it, and the encoder trained against that one.",
    )
