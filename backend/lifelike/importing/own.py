# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of this project's own: bundles of one file, and the single networks that trainings write."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import cattrs
from torch import nn

from lifelike.bundles.card import card_from_json
from lifelike.bundles.file import CARD_KEY
from lifelike.importing.collecting import collect, shapes_of, under
from lifelike.importing.found import Contents, Found, State, Terms
from lifelike.importing.refusal import TAKEN, Refused, printable
from lifelike.importing.stored import Stored
from lifelike.importing.stylegan2_keys import read_discriminator, read_generator
from lifelike.networks.encoders import build_encoder, encoder_settings, encoder_values
from lifelike.networks.identities import build_identity
from lifelike.networks.stylegan2 import GeneratorSettings
from lifelike_protocol.errors import LifelikeError

BUNDLE = "Lifelike bundle"
NETWORK = "Lifelike network"
NUMBER_LIMIT = 1 << 16
BLOCKS_LIMIT = 256
"""Numbers in settings, and blocks of a network; ours are at most 1024 and 24."""

UNREADABLE = "it is damaged: its settings describe no network"

Tensors = dict[str, Stored]


def read(contents: Contents) -> Found | None:
    """The networks, or None where this is no such file.

    Raises:
        Refused: it is one, but damaged, or holds none of the networks wanted here.
    """
    if CARD_KEY in contents.metadata:
        return _read_bundle(contents)
    if "kind" in contents.metadata and "settings" in contents.metadata:
        return _read_network(contents)
    return None


def _read_bundle(contents: Contents) -> Found:
    try:
        card = card_from_json(contents.metadata[CARD_KEY], "its card")
    except LifelikeError as error:
        raise Refused(error.what.rstrip("."), error.remedy) from error
    tensors, size = contents.value, contents.size
    noise = {f"synthesis.{name}": value for name, value in under(tensors, "photo.").items() if _is_noise(name)}

    def generator(look: str) -> tuple[GeneratorSettings, State] | None:
        own = {f"synthesis.{name}": value for name, value in under(tensors, f"{look}.").items()}
        mapping = {name: value for name, value in tensors.items() if name.startswith("mapping.")}
        return _as_stated(read_generator({**noise, **mapping, **own}, size), card.generator) if own else None

    encoder = identity = None
    if card.encoder is not None:
        encoder = _encoder(encoder_values(card.encoder), under(tensors, "encoder."), size)
    if card.identity is not None:
        identity = _identity(card.identity, under(tensors, "identity."), size)
    return Found(
        format=BUNDLE,
        generator=generator("photo"),
        render=generator("render"),
        encoder=encoder,
        identity=identity,
        terms=Terms(card.licence, card.non_commercial, tuple(card.citation.splitlines())),
    )


def _is_noise(name: str) -> bool:
    return name.endswith("noise_const")


def _read_network(contents: Contents) -> Found:
    kind, tensors, size = contents.metadata["kind"], contents.value, contents.size
    try:
        settings = json.loads(contents.metadata["settings"])
    except (ValueError, RecursionError) as error:
        raise Refused(UNREADABLE) from error
    if kind == "generator":
        stated = _structured(settings, _generator_settings)
        return Found(format=NETWORK, generator=_as_stated(read_generator(tensors, size), stated))
    if kind == "discriminator":
        stated = _structured(settings, _generator_settings)
        return Found(format=NETWORK, discriminator=_as_stated(read_discriminator(tensors, size, stated), stated))
    if kind == "encoder":
        return Found(format=NETWORK, encoder=_encoder(settings, tensors, size))
    if kind == "identity":
        return Found(format=NETWORK, identity=_identity(settings, tensors, size))
    raise Refused(f"it is a network of the kind {printable(kind)}, which no bundle is made of here", TAKEN)


def _encoder(settings: Any, tensors: Tensors, size: int) -> tuple[Any, State]:
    structured = _structured(settings, encoder_settings)
    return structured, _collected(lambda: build_encoder(structured), tensors, size, "encoder")


def _identity(settings: Any, tensors: Tensors, size: int) -> tuple[dict[str, Any], State]:
    checked = _structured(settings, dict)
    return checked, _collected(lambda: build_identity(checked), tensors, size, "identity network")


def _generator_settings(values: Any) -> GeneratorSettings:
    return cattrs.structure(values, GeneratorSettings)


def _structured(values: Any, build: Callable[[Any], Any]) -> Any:
    """Settings from plain values, with no number so large that building a network would take long.

    Raises:
        Refused: they are others.
    """
    try:
        _check_numbers(values)
        return build(values)
    except (cattrs.BaseValidationError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise Refused(UNREADABLE) from error


def _check_numbers(settings: Any) -> None:
    for name, value in settings.items():
        numbers = value if isinstance(value, (list, tuple)) else [value]
        highest = BLOCKS_LIMIT if name in ("blocks", "mapping_layers") else NUMBER_LIMIT
        if len(numbers) > BLOCKS_LIMIT or any(isinstance(n, (int, float)) and not 0 <= n <= highest for n in numbers):
            raise ValueError(name)


def _collected(build: Callable[[], nn.Module], tensors: Tensors, size: int, network: str) -> State:
    try:
        shapes = shapes_of(build)
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, ZeroDivisionError, RuntimeError) as error:
        raise Refused(UNREADABLE) from error  # whatever building a network from a stranger's settings raises
    except LifelikeError as error:
        raise Refused(error.what.rstrip("."), error.remedy) from error
    return collect(tensors, shapes, size, network)


def _as_stated(found: tuple[GeneratorSettings, State], stated: GeneratorSettings) -> tuple[GeneratorSettings, State]:
    """With the sizes as the file states them, where they describe the same network.

    Raises:
        Refused: they describe another.
    """
    settings, state = found
    alike = (settings.resolution, settings.z_dim, settings.w_dim) == (stated.resolution, stated.z_dim, stated.w_dim)
    if not alike or any(settings.channels(side) != stated.channels(side) for side in settings.resolutions):
        raise Refused("it is damaged: its tensors are not of the sizes it states")
    return stated, state
