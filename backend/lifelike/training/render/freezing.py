# SPDX-License-Identifier: GPL-3.0-or-later
"""Which layers of the copy and of the discriminator stand still, and when."""

from __future__ import annotations

from torch import nn

from lifelike.networks.stylegan2 import Discriminator, Generator
from lifelike.training.render.settings import FreezingSettings
from lifelike_protocol.errors import ErrorCode, LifelikeError


def check_freezing(settings: FreezingSettings, resolutions: tuple[int, ...]) -> None:
    """Refuse what the networks do not have.

    Raises:
        LifelikeError: INVALID_SETTING naming the key.
    """
    for key, wanted in (("blocks", settings.blocks), ("to_rgb", settings.to_rgb)):
        missing = [resolution for resolution in wanted if resolution not in resolutions]
        if missing:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The setting freezing.{key} names {missing[0]}, and the generator has no block of that resolution.",
                f"Choose among {', '.join(map(str, resolutions))}.",
            )
    if settings.discriminator_blocks >= len(resolutions):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The setting freezing.discriminator_blocks is {settings.discriminator_blocks}, and the discriminator has "
            f"only {len(resolutions)} blocks, of which the last has to learn.",
            f"Choose at most {len(resolutions) - 1}.",
        )


def freeze_generator(generator: Generator, settings: FreezingSettings, fraction: float) -> None:
    """Let the generator's parameters learn, except for those that stand still at this fraction of the run."""
    generator.requires_grad_(True)
    generator.mapping.requires_grad_(not settings.mapping)
    for resolution in generator.settings.resolutions:
        block = generator.synthesis.block(resolution)
        if resolution in settings.blocks and fraction < settings.blocks_until:
            block.requires_grad_(False)
            block.torgb.requires_grad_(True)
        if resolution in settings.to_rgb and fraction < settings.to_rgb_until:
            block.torgb.requires_grad_(False)


def freeze_discriminator(discriminator: Discriminator, settings: FreezingSettings, fraction: float) -> None:
    """Let the discriminator learn, except for its first blocks (FreezeD, Mo et al., arXiv 2002.10964)."""
    discriminator.requires_grad_(True)
    if fraction < settings.discriminator_until:
        first = discriminator.settings.resolutions[::-1][: settings.discriminator_blocks]
        for resolution in first:
            block: nn.Module = getattr(discriminator, f"b{resolution}")
            block.requires_grad_(False)


def learning(network: nn.Module) -> list[nn.Parameter]:
    """The parameters that do not stand still."""
    return [parameter for parameter in network.parameters() if parameter.requires_grad]
