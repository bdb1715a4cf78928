# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a generator of photographs: StyleGAN2 with adaptive discriminator augmentation.

Karras et al., arXiv 1912.04958 and arXiv 2006.06676; see `lifelike.training.adversarial`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor

from lifelike.networks.stylegan2 import Discriminator, Generator
from lifelike.networks.weights import save_weights
from lifelike.training.adversarial import AdversarialTask, Values
from lifelike.training.augmentation.ada import augment
from lifelike.training.losses.adversarial import generator_adversarial
from lifelike.training.networks import has_discriminator, load_discriminator, load_generator
from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.picture_grid import picture_grid
from lifelike.training.portraits import read_portraits
from lifelike.training.random_pictures import signed
from lifelike.training.task import Moment
from lifelike_protocol.errors import ErrorCode, LifelikeError

SHEET_COLUMNS, SHEET_ROWS = 8, 4
"""Of made pictures; one row of real ones stands above them."""
W_AVERAGE = 0.002  # stylegan2-ada-pytorch, w_avg_beta 0.998


class PhotoTask(AdversarialTask):
    """Generator and discriminator, trained on nothing but the pictures."""

    kind = "photo"
    settings_class = PhotoSettings

    def __init__(self, settings: PhotoSettings, fabric: Fabric) -> None:
        networks = starting_networks(settings)
        portraits = read_portraits(settings.data, settings.network.resolution, settings.look or None)
        pixels = portraits.select(~portraits.held_out(settings.data.reserved)).pictures
        if not len(pixels):
            what = f"All {len(portraits)} pictures show people reserved by data.reserved."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name other folders, or change data.reserved.")
        super().__init__(settings, fabric, networks, pixels)

    def generator_loss(self, moment: Moment, first: bool, values: Values) -> tuple[Tensor, Tensor]:
        """The non-saturating loss."""
        picture = self.synthesise(self.draw_ws(self.part), self.noise)
        loss = generator_adversarial(self.judge(augment(picture, self.strength.p)))
        self.note(values, {"generator": loss})
        return picture, loss

    def draw_ws(self, count: int) -> Tensor:
        """As ever; moves the mean of w."""
        ws = super().draw_ws(count)
        self.generator.mapping.w_avg.lerp_(ws[:, 0].detach().mean(0), W_AVERAGE)
        return ws

    # -- the run folder ---------------------------------------------------------------------------------

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """A row of real pictures, then made ones on fixed latents, by the averaged generator."""
        spread = torch.linspace(0, len(self.pictures.pixels) - 1, SHEET_COLUMNS).long().numpy()
        real = signed(torch.from_numpy(self.pictures.pixels[spread]))
        count = SHEET_COLUMNS * SHEET_ROWS
        z = torch.randn(count, self.average.settings.z_dim, generator=torch.Generator().manual_seed(0))
        with self.fabric.autocast():
            made = [self.average(part).cpu() for part in z.to(self.fabric.device).split(self.part)]
        return picture_grid(torch.cat([real, *made]), SHEET_COLUMNS)

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        """``photo.safetensors`` (the averaged generator) and ``discriminator.safetensors``."""
        files = [folder / "photo.safetensors", folder / "discriminator.safetensors"]
        save_weights(files[0], self.average, "generator", card)
        save_weights(files[1], self.discriminator, "discriminator", card)
        return files


def starting_networks(settings: PhotoSettings) -> tuple[Generator, Discriminator]:
    """Fresh networks, or those of `settings.start`; errors as `load_generator`'s."""
    if not settings.start:
        return Generator(settings.network), Discriminator(settings.network)
    generator = load_generator(settings.start, "photo", settings.network.resolution)
    if has_discriminator(settings.start):
        return generator, load_discriminator(settings.start, settings.network.resolution)
    return generator, Discriminator(generator.settings)
