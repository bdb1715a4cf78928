# SPDX-License-Identifier: GPL-3.0-or-later
"""What a foreign file turned out to hold."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen
from torch import Tensor

from lifelike.networks.stylegan2 import GeneratorSettings

State = dict[str, Tensor]
"""Tensors by this project's names, float32 as far as they are floating-point."""


@frozen(eq=False)
class Contents:
    """What a container holds, before it is known what it is.

    value: plain values, records and `Stored` tensors; of safetensors a dictionary of `Stored`.
    size: of the file in bytes: more than that no network in it can take.
    metadata: of a safetensors file.
    """

    value: Any
    size: int
    metadata: dict[str, str] = field(factory=dict)


@frozen
class Terms:
    """Under which terms networks may be used. citations: whom to name, one line a work."""

    licence: str
    non_commercial: bool = False
    citations: tuple[str, ...] = ()


@frozen(eq=False, kw_only=True)
class Found:
    """The networks of a file; None where it has none of that kind.

    format: for people, e.g. "NVIDIA PyTorch pickle".
    sha256: of the file.
    generator, render, discriminator: sizes and tensors; `render` is the second one of a pair, in a bundle.
    encoder, identity: settings as `networks.encoders` and `networks.identities` take them, and tensors.
    terms: None where neither the file nor the list of published ones tells them.
    notes: sentences a person should read.
    """

    format: str
    sha256: str = ""
    terms: Terms | None = None
    generator: tuple[GeneratorSettings, State] | None = None
    render: tuple[GeneratorSettings, State] | None = None
    discriminator: tuple[GeneratorSettings, State] | None = None
    encoder: tuple[Any, State] | None = None
    identity: tuple[dict[str, Any], State] | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The kinds of networks it has, in words."""
        kinds = ("generator", "render", "discriminator", "encoder", "identity")
        return [kind for kind in kinds if getattr(self, kind) is not None]
