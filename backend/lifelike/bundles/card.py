# SPDX-License-Identifier: GPL-3.0-or-later
"""The card of a bundle: what it is, where it comes from, and how its networks are built."""

from __future__ import annotations

import json
from typing import Any

import cattrs
from attrs import field, frozen

from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

FORMAT = "lifelike-bundle-1"


@frozen
class BundleCard:
    """Everything about a bundle but its tensors.

    method: how its generator pair is best applied, "decode" or "difference".
    identity, locator: settings of those networks, or None where the bundle has none.
    trained_on, measured: for people; `measured` holds the figures of `lifelike.evaluation`.
    """

    name: str
    description: str
    licence: str
    generator: GeneratorSettings
    encoder: EncoderSettings
    method: Method = Method.DIFFERENCE
    identity: dict[str, Any] | None = None
    locator: dict[str, Any] | None = None
    trained_on: str = ""
    measured: dict[str, Any] = field(factory=dict)
    format: str = FORMAT

    @property
    def resolution(self) -> int:
        """Side of the portraits in pixels."""
        return self.generator.resolution


_converter = cattrs.Converter(forbid_extra_keys=True)


def card_to_json(card: BundleCard) -> str:
    """The card as JSON text."""
    return json.dumps(_converter.unstructure(card), indent=1, sort_keys=True)


def card_from_json(text: str, where: str) -> BundleCard:
    """Read a card.

    Args:
        text: JSON.
        where: named in the error.

    Raises:
        LifelikeError: INVALID_BUNDLE for anything but a complete card of this format.
    """
    try:
        values = json.loads(text)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT!r}")
        card = _converter.structure(values, BundleCard)
        if card.method is Method.BUNDLE:
            raise ValueError('its method must be "decode" or "difference"')
    except (ValueError, TypeError, RecursionError, cattrs.BaseValidationError) as error:
        detail = "; ".join(cattrs.transform_error(error)) if isinstance(error, cattrs.BaseValidationError) else error
        raise LifelikeError(
            ErrorCode.INVALID_BUNDLE,
            f"{where} is not a Lifelike bundle: {detail}.",
            "Choose a bundle made by Lifelike, or import the weights first.",
        ) from error
    return card
