# SPDX-License-Identifier: GPL-3.0-or-later
"""The card of a bundle: what it is, where it comes from, and how its networks are built."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

import cattrs
from attrs import field, frozen
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from lifelike.networks.encoder import EncoderSettings
from lifelike.networks.encoders import AnyEncoderSettings, encoder_settings, encoder_values
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

FORMAT = "lifelike-bundle-1"


@frozen
class BundleCard:
    """Everything about a bundle but its tensors.

    encoder: its settings, or None where the bundle has none: then it can only generate.
    method: how its generator pair is best applied, "decode" or "difference".
    identity, locator: settings of those networks, or None where the bundle has none.
    trained_on, measured: for people; `measured` holds the figures of `lifelike.evaluation`.
    pair: whether there is a render generator; without one the bundle works in single-generator mode.
    precision: of the tensors on disk: "half" (float16) or "single" (float32, which keeps every bit).
    non_commercial: whether its licence forbids commercial use.
    citation: what to cite, one work a line.
    sources: the files it was imported from: {"file": name, "sha256": …, "format": …, "licence": …}.
    """

    name: str
    description: str
    licence: str
    generator: GeneratorSettings
    encoder: AnyEncoderSettings | None
    method: Method = Method.DIFFERENCE
    identity: dict[str, Any] | None = None
    locator: dict[str, Any] | None = None
    trained_on: str = ""
    measured: dict[str, Any] = field(factory=dict)
    format: str = FORMAT
    pair: bool = True
    precision: Literal["half", "single"] = "half"
    non_commercial: bool = False
    citation: str = ""
    sources: tuple[dict[str, Any], ...] = ()

    @property
    def resolution(self) -> int:
        """Side of the portraits in pixels."""
        return self.generator.resolution

    @property
    def draws_no_faces(self) -> bool:
        """Whether its portraits need feature codes, so that a latent without one shows no face."""
        return isinstance(self.encoder, EncoderSettings) and bool(self.encoder.feature_resolutions)


SIZE_LIMIT = 1 << 17
LAYER_LIMIT = 256
"""No network comes near these widths and these numbers of layers, which are refused before anything is built."""
LAYERS = ("mapping_layers", "num_ws", "blocks")


def _read_encoder(value: Any, _: type) -> AnyEncoderSettings | None:
    return None if value is None else encoder_settings(value)


def _write_encoder(settings: AnyEncoderSettings | None) -> dict[str, Any] | None:
    return None if settings is None else encoder_values(settings)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True)
    encoder = override(struct_hook=_read_encoder, unstruct_hook=_write_encoder)
    structure = make_dict_structure_fn(BundleCard, converter, _cattrs_forbid_extra_keys=True, encoder=encoder)
    converter.register_structure_hook(BundleCard, structure)
    # Cards did not have these at first; they are written only where they say something, so that old readers read on.
    later = override(omit_if_default=True)
    unstructure = make_dict_unstructure_fn(
        BundleCard,
        converter,
        encoder=encoder,
        pair=later,
        precision=later,
        non_commercial=later,
        citation=later,
        sources=later,
    )
    converter.register_unstructure_hook(BundleCard, unstructure)
    return converter


_converter = _make_converter()


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
        _check_sizes(values)
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


def _check_sizes(card: dict[str, Any]) -> None:
    """Raise ValueError for networks of absurd sizes, which would take forever to build."""
    for part in ("generator", "encoder", "identity", "locator"):
        for name, size in _integers(card.get(part), part):
            limit = LAYER_LIMIT if name in LAYERS else SIZE_LIMIT
            if size > limit:
                raise ValueError(f"{size} is too much for {name} of its {part}")


def _integers(value: Any, name: str) -> Iterator[tuple[str, int]]:
    """Every integer in plain values, with the name that it stands under."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _integers(below, key)
    elif isinstance(value, list):
        for below in value:
            yield from _integers(below, name)
    elif isinstance(value, int):
        yield name, value
