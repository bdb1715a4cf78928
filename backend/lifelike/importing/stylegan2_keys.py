# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2 networks from tensors that have this project's names (those of stylegan2-ada-pytorch): sizes and values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

import torch
from attrs import evolve

from lifelike.importing.collecting import Shapes, collect, shapes_of
from lifelike.importing.found import State
from lifelike.importing.refusal import TAKEN, Refused
from lifelike.importing.stored import Stored
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings

LARGEST_RESOLUTION = 2048
WIDTH_LIMIT = 4096
LAYERS_LIMIT = 64
UNKNOWN_WIDTHS = "its layers are of widths that no StyleGAN2 network has"


def read_generator(stored: Mapping[str, Stored], size: int) -> tuple[GeneratorSettings, State]:
    """A generator.

    Args:
        stored: by our names; blur filters may stand among them.
        size: bytes of the file.

    Raises:
        Refused: it is another network, or one that computes something else.
    """
    stored = without_filters(stored)
    if any(name.startswith("mapping.embed.") for name in stored):
        raise Refused("its generator wants a label for each picture, and faces have none", TAKEN)
    widths = _widths(stored, r"synthesis\.b(\d+)\.conv1\.weight")
    first, layers = stored.get("mapping.fc0.weight"), 0
    while f"mapping.fc{layers}.weight" in stored and layers <= LAYERS_LIMIT:
        layers += 1
    if first is None or len(first.shape) != 2 or max(first.shape) > WIDTH_LIMIT or layers > LAYERS_LIMIT:
        raise Refused("its generator has no mapping network as StyleGAN2 has one", TAKEN)
    w_dim, z_dim = first.shape
    settings = evolve(_settings(widths), z_dim=z_dim, w_dim=w_dim, mapping_layers=layers)
    return settings, collect(stored, _generator_shapes(settings), size, "generator")


def read_discriminator(
    stored: Mapping[str, Stored], size: int, generator: GeneratorSettings | None
) -> tuple[GeneratorSettings, State]:
    """A discriminator; arguments and errors as `read_generator`'s. `generator`: that of the same file."""
    stored = without_filters(stored)
    settings = _settings(_widths(stored, r"b(\d+)\.conv0?\.weight"))
    if generator is not None and evolve(generator, z_dim=0, w_dim=0, mapping_layers=0) == evolve(
        settings, z_dim=0, w_dim=0, mapping_layers=0
    ):
        settings = generator
    return settings, collect(stored, _discriminator_shapes(settings), size, "discriminator")


def optional_discriminator(
    tensors: Callable[[], Mapping[str, Stored]], size: int, generator: GeneratorSettings
) -> tuple[tuple[GeneratorSettings, State] | None, tuple[str, ...]]:
    """The discriminator beside a generator: it and no notes, or None and why. Pictures do not need it.

    Args:
        tensors: gives its tensors by our names; none at all where there is no discriminator.
    """
    try:
        stored = tensors()
        return (read_discriminator(stored, size, generator) if stored else None), ()
    except Refused as refusal:
        return None, (f"Its discriminator is left out: {refusal.why}.",)


def without_filters(stored: Mapping[str, Stored]) -> dict[str, Stored]:
    """All but the blur filters, which are fixed here.

    Raises:
        Refused: a filter is another than [1, 3, 3, 1], of whatever gain.
    """
    kept = {}
    for name, value in stored.items():
        if not name.endswith((".resample_filter", ".kernel")):
            kept[name] = value
        elif not _is_usual_filter(value):
            raise Refused("it blurs with another filter than StyleGAN2's [1, 3, 3, 1]", TAKEN)
    return kept


def _is_usual_filter(stored: Stored) -> bool:
    if stored.shape != (4, 4):
        return False
    given = stored.read().double()
    taps = torch.tensor([1, 3, 3, 1], dtype=torch.float64) / 8
    return bool(torch.isfinite(given).all() and torch.allclose(given / given.sum(), taps.outer(taps), atol=1e-6))


def _widths(stored: Mapping[str, Stored], pattern: str) -> dict[int, int]:
    """Output channels of a convolution at each resolution."""
    found = {}
    for name, value in stored.items():
        match = re.fullmatch(pattern, name, re.ASCII)
        if match and len(match[1]) < 6 and len(value.shape) == 4:
            found[int(match[1])] = value.shape[0]
    return found


def _settings(widths: dict[int, int]) -> GeneratorSettings:
    """The smallest base and limit that give these widths, so that equal networks have equal settings."""
    resolution = max(widths, default=0)
    expected = [2**power for power in range(2, resolution.bit_length())]
    if not 8 <= resolution <= LARGEST_RESOLUTION or sorted(widths) != expected:
        raise Refused("it has no layers for pictures of 4, 8, 16, … pixels", TAKEN)
    widest = max(widths.values())
    if not 0 < widths[resolution] <= widest <= WIDTH_LIMIT:
        raise Refused(UNKNOWN_WIDTHS, TAKEN)
    settings = GeneratorSettings(resolution, widths[resolution] * resolution, widest)
    if any(settings.channels(side) != width for side, width in widths.items()):
        raise Refused(UNKNOWN_WIDTHS, TAKEN)
    return settings


@lru_cache(maxsize=8)
def _generator_shapes(settings: GeneratorSettings) -> Shapes:
    return shapes_of(lambda: Generator(settings))


@lru_cache(maxsize=8)
def _discriminator_shapes(settings: GeneratorSettings) -> Shapes:
    return shapes_of(lambda: Discriminator(settings))
