# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of encoder, built from its settings, and those settings as plain values.

An encoder is a module with `settings` (`resolution`: side of the portraits it reads; `num_ws`, `w_dim`) that makes
[N3RR] −1…1 into a `Latent`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cattrs
import torch.nn.functional as F
from torch import Tensor

from lifelike.networks.e4e import E4e, E4eSettings
from lifelike.networks.encoder import Encoder, EncoderSettings, Latent

AnyEncoder = Encoder | E4e
AnyEncoderSettings = EncoderSettings | E4eSettings

KIND = "kind"
KINDS: dict[str, type[EncoderSettings] | type[E4eSettings]] = {"small": EncoderSettings, "e4e": E4eSettings}
"""What the plain values say under `KIND`; nothing there means "small", as in cards from before there was another."""

_converter = cattrs.Converter(forbid_extra_keys=True)


def build_encoder(settings: AnyEncoderSettings) -> AnyEncoder:
    """A network of random weights."""
    return E4e(settings) if isinstance(settings, E4eSettings) else Encoder(settings)


def encode(encoder: AnyEncoder, portraits: Tensor) -> Latent:
    """The latent of portraits of any size.

    portraits: [N3RR], −1…1; scaled to the side that the encoder reads.
    """
    side = encoder.settings.resolution
    if portraits.shape[-1] != side:
        # e4e reads 256 pixels of whatever resolution its generator has (arXiv 2102.02766, its published code).
        portraits = F.interpolate(portraits, (side, side), mode="bilinear", align_corners=False, antialias=True)
    latent: Latent = encoder(portraits)
    return latent


def encoder_settings(values: Mapping[str, Any]) -> AnyEncoderSettings:
    """Settings from plain values.

    Raises:
        ValueError: for an unknown kind. cattrs.BaseValidationError: for values of the wrong names or types.
    """
    rest = dict(values)
    kind = rest.pop(KIND, "small")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"there is no encoder of the kind {kind!r}")
    return _converter.structure(rest, KINDS[kind])


def encoder_values(settings: AnyEncoderSettings) -> dict[str, Any]:
    """Settings as plain values that JSON can hold; small encoders' as they always were."""
    values: dict[str, Any] = _converter.unstructure(settings)
    return {KIND: "e4e", **values} if isinstance(settings, E4eSettings) else values
