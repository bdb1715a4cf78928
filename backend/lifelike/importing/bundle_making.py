# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle from foreign files: each network from the file that was named for it, with their terms on its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import torch
from attrs import define, evolve, field, frozen
from torch import Tensor, nn

from lifelike.bundles import Bundle, BundleCard, load_bundle
from lifelike.bundles.assembly import assemble_bundle
from lifelike.bundles.inheritance import ancestors
from lifelike.bundles.public.catalogue import published_as
from lifelike.importing.detection import read_foreign
from lifelike.importing.found import Found, State, Terms
from lifelike.importing.own import NETWORK
from lifelike.networks.encoders import build_encoder
from lifelike.networks.identities import build_identity
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings
from lifelike.networks.unfilled import unfilled
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Method

UNSTATED = "unstated"

Network = TypeVar("Network", bound=nn.Module)


@frozen
class Files:
    """The file for each network; None leaves it out. One that is named twice is read once."""

    photo: Path
    render: Path | None = None
    encoder: Path | None = None
    identity: Path | None = None


@define
class Imported:
    """A bundle, not yet on disk.

    discriminator: the photo generator's, where its file has one: `lifelike train render` goes on with it.
    sources: what was found in each file.
    notes: sentences a person should read.
    """

    bundle: Bundle
    discriminator: Discriminator | None
    sources: dict[Path, Found]
    notes: list[str] = field(factory=list)


def import_bundle(
    files: Files,
    name: str,
    description: str = "",
    terms: Terms | None = None,
    locator: bool = True,
) -> Imported:
    """Read foreign files and put their networks together.

    A file for the photo generator that has an encoder too, as e4e's, gives that as well when no other is named.

    Args:
        name: the bundle's.
        terms: what the person says of all files; those known of a file are added to them.
        locator: take the built-in bundle's face locator in, for frames whose landmarks nobody knows.

    Raises:
        LifelikeError: INVALID_FILE for a file that cannot be imported or lacks the network it was named for;
            INVALID_BUNDLE when the networks do not belong together.
    """
    reader = _Reader()
    photo = _generator(*reader.network(files.photo, "generator", "photo generator"))
    render = encoder = identity = None
    if files.render is not None:
        kind = "render" if reader.read(files.render).render is not None else "generator"
        render = _generator(*reader.network(files.render, kind, "generator"))
    encoder_file = files.encoder or (files.photo if reader.read(files.photo).encoder is not None else None)
    if encoder_file is not None:
        settings, state = reader.network(encoder_file, "encoder", "encoder")
        with unfilled():
            encoder = build_encoder(settings)
        _filled(encoder, state)
    if files.identity is not None:
        settings, state = reader.network(files.identity, "identity", "identity network")
        with unfilled():
            identity = build_identity(settings)
        _filled(identity, state)
    notes = [note for found in reader.found.values() for note in found.notes]
    if encoder_file is not None:
        notes += _fit(encoder_file, reader.read(encoder_file), photo)
    card = _card(name, description, reader.found, terms, render is not None)
    built_in = load_bundle().locator if locator else None
    judge = reader.read(files.photo).discriminator
    return Imported(
        assemble_bundle(photo, render, encoder, identity, built_in, **card),
        None if judge is None else _discriminator(*judge),
        reader.found,
        notes,
    )


class _Reader:
    """Reads every file once."""

    def __init__(self) -> None:
        self.found: dict[Path, Found] = {}

    def read(self, file: Path) -> Found:
        if file not in self.found:
            found = read_foreign(file)
            published = published_as(found.sha256)
            if published is not None:
                known = published.terms
                found = evolve(found, terms=Terms(known.licence, known.non_commercial, known.citations))
            elif found.format == NETWORK:
                found = _with_inherited_terms(file, found)
            self.found[file] = found
        return self.found[file]

    def network(self, file: Path, kind: str, words: str) -> tuple[Any, State]:
        """Settings and tensors of one kind of network.

        Raises:
            LifelikeError: INVALID_FILE where the file has none.
        """
        found = self.read(file)
        network: tuple[Any, State] | None = getattr(found, kind)
        if network is None:
            what = f"The file {file.name} ({found.format}) has no {words}; it has: {', '.join(found.names)}."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Give each file to the option of what is in it.")
        return network


def _with_inherited_terms(file: Path, found: Found) -> Found:
    """With the terms of what a network of ours was trained from, where its run tells."""
    behind = ancestors([str(file)])
    bound = behind.terms("")
    terms = Terms(bound["licence"], bound["non_commercial"], tuple(bound["citation"].splitlines()))
    return evolve(found, terms=terms if behind.cards else None, notes=(*found.notes, *behind.notes))


def _generator(settings: GeneratorSettings, state: State) -> Generator:
    with unfilled():
        generator = Generator(settings)
    return _filled(generator, state)


def _discriminator(settings: GeneratorSettings, state: State) -> Discriminator:
    with unfilled():
        discriminator = Discriminator(settings)
    return _filled(discriminator, state)


def _filled(network: Network, state: dict[str, Tensor]) -> Network:
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)


def _fit(file: Path, found: Found, photo: Generator) -> list[str]:
    """A warning where the encoder's file has a generator that is not the bundle's: its codes would mean other faces."""
    if found.generator is None:
        return []
    settings, state = found.generator
    mine = photo.state_dict()
    if settings == photo.settings and all(
        torch.allclose(value, mine[key], rtol=1e-3, atol=1e-3)
        for key, value in state.items()
        if key.endswith("weight") and key.startswith("synthesis.")
    ):
        return []
    return [
        f"The encoder of {file.name} was trained for another generator than this one, so its portraits will be off."
    ]


def _card(name: str, description: str, found: dict[Path, Found], given: Terms | None, pair: bool) -> dict[str, Any]:
    """The fields of `BundleCard` that tell where the networks come from."""
    terms = [one.terms for one in found.values() if one.terms is not None] + ([given] if given else [])
    licences = dict.fromkeys(name for one in terms for name in one.licence.split("; ") if name not in ("", UNSTATED))
    return {
        "name": name,
        "description": description,
        "licence": "; ".join(licences) or UNSTATED,
        "non_commercial": any(one.non_commercial for one in terms),
        "citation": "\n".join(dict.fromkeys(work for one in terms for work in one.citations)),
        "method": Method.DIFFERENCE if pair else Method.DECODE,
        "precision": "single",  # every bit as it was imported
        "sources": tuple(
            {
                "file": file.name,
                "sha256": one.sha256,
                "format": one.format,
                "licence": one.terms.licence if one.terms else UNSTATED,
            }
            for file, one in found.items()
        ),
    }


def missing(card: BundleCard) -> list[str]:
    """What the bundle lacks, a sentence for each."""
    lacks = []
    if card.encoder is None:
        lacks.append("No encoder: it can only generate pictures. Import again with --encoder FILE.")
    if not card.pair:
        lacks.append(
            "No render generator: it works in single-generator mode. `lifelike train render` makes one, as "
            "docs/weights.md tells."
        )
    if card.identity is None:
        lacks.append("No identity network: results do not tell how like they are. Import again with --identity FILE.")
    if card.locator is None:
        lacks.append("No face locator: frames need landmarks, from the scene or from face-alignment.")
    return lacks
