# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a generator of photographs: StyleGAN2 with adaptive discriminator augmentation.

Karras et al., arXiv 1912.04958 (losses, lazy regularisation) and arXiv 2006.06676 (augmentation); the order of the
updates is stylegan2-ada-pytorch's. Two things are done for speed: the discriminator learns from the pictures the
generator was just updated with, and R1 is taken at the changed pictures, as the discriminator sees them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn

from lifelike.networks.stylegan2 import Discriminator, Generator
from lifelike.networks.weights import save_weights
from lifelike.training.augmentation.ada import augment
from lifelike.training.augmentation.strength import AugmentationStrength
from lifelike.training.average import average_of, update_average
from lifelike.training.descent import Descent, place
from lifelike.training.losses.adversarial import (
    discriminator_adversarial,
    generator_adversarial,
    path_length_penalty,
    r1_penalty,
)
from lifelike.training.networks import load_discriminator, load_generator
from lifelike.training.photo.settings import PhotoSettings
from lifelike.training.picture_grid import picture_grid
from lifelike.training.portraits import read_portraits
from lifelike.training.random_pictures import RandomPictures, signed
from lifelike.training.run import part_size
from lifelike.training.task import Moment, Task
from lifelike_protocol.errors import ErrorCode, LifelikeError

SHEET_COLUMNS, SHEET_ROWS = 8, 4
"""Of made pictures; one row of real ones stands above them."""
W_AVERAGE = 0.002  # stylegan2-ada-pytorch, w_avg_beta 0.998


class PhotoTask(Task):
    """Generator, its average, discriminator, their optimisers and the pictures."""

    kind = "photo"
    settings_class = PhotoSettings

    def __init__(self, settings: PhotoSettings, fabric: Fabric) -> None:
        self.settings, self.fabric = settings, fabric
        self.adversarial = settings.adversarial
        generator, discriminator = starting_networks(settings)
        portraits = read_portraits(settings.data, settings.network.resolution, settings.look or None)
        pixels = portraits.select(~portraits.held_out(settings.data.reserved)).pictures
        if not len(pixels):
            what = f"All {len(portraits)} pictures show people reserved by data.reserved."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name other folders, or change data.reserved.")
        self.pictures = RandomPictures(pixels, settings.mirror, fabric.device)
        self.generator, self.discriminator = place(generator, fabric), place(discriminator, fabric)
        self.average = average_of(self.generator)
        rates, every = self.adversarial, self.adversarial
        self.generator_descent = Descent(
            fabric, lazy_adam(self.generator, rates.learning_rate, every.path_every), "generator"
        )
        self.discriminator_descent = Descent(
            fabric, lazy_adam(self.discriminator, rates.discriminator_rate, every.r1_every), "discriminator"
        )
        self.strength = AugmentationStrength(settings.ada, settings.run.batch, fabric)
        self.path_mean = torch.zeros((), device=fabric.device)
        self.r1_gamma = r1_weight(settings)
        self.part = part_size(settings.run, fabric)
        # Penalties differentiate twice, which compiled code cannot: they call the networks themselves.
        compiled: Callable[[Any], Any] = torch.compile if settings.run.compile else lambda network: network
        self.synthesise, self.judge = compiled(self.generator.synthesis), compiled(self.discriminator)

    # -- one update -------------------------------------------------------------------------------------

    def step(self, moment: Moment) -> dict[str, float | Tensor]:
        """Generator, its path length, discriminator, its R1, then the averages."""
        values: dict[str, float | Tensor] = {"ada_p": self.strength.p}
        fakes = self.update_generator(values)
        if self.adversarial.path_every and moment.step % self.adversarial.path_every == 0:
            self.regularise_generator(values)
        self.update_discriminator(fakes, values)
        if self.adversarial.r1_every and moment.step % self.adversarial.r1_every == 0:
            self.regularise_discriminator(values)
        self.strength.adapt(moment.step)
        a, batch = self.adversarial, self.settings.run.batch
        update_average(self.average, self.generator, moment.pictures, batch, a.average, a.average_ramp)
        return values

    def update_generator(self, values: dict[str, float | Tensor]) -> list[Tensor]:
        """The non-saturating loss; returns the made pictures, part by part."""
        self.discriminator.requires_grad_(False)
        self.generator_descent.zero()
        fakes, losses = [], []
        for _ in range(self.settings.run.accumulate):
            with self.fabric.autocast():
                picture = self.synthesise(self.draw_ws(self.part), "random")
                loss = generator_adversarial(self.judge(augment(picture, self.strength.p)))
            self.generator_descent.backward(loss / self.settings.run.accumulate)
            fakes.append(picture.detach())
            losses.append(loss.detach())
        values["generator"] = torch.stack(losses).mean()
        values["generator_gradient"] = self.generator_descent.step()
        self.discriminator.requires_grad_(True)
        return fakes

    def regularise_generator(self, values: dict[str, float | Tensor]) -> None:
        """Path length; its gradient counts for all the updates until the next one."""
        a = self.adversarial
        count = max(1, round(self.part * a.path_share))
        self.generator_descent.zero()
        means = []
        for _ in range(self.settings.run.accumulate):
            with self.penalty_precision():
                ws = self.draw_ws(count)
                pictures = self.generator.synthesis(ws, "random")
                penalty, mean = path_length_penalty(pictures, ws, self.path_mean)
            weight = a.path_weight * a.path_every / self.settings.run.accumulate
            self.generator_descent.backward(weight * penalty)
            means.append(mean.detach())
            values["path_length"] = mean.detach()
            values["path_penalty"] = penalty.detach()
        self.path_mean = torch.stack(means).mean()
        if self.fabric.world_size > 1:
            mean_of_all: Any = self.fabric.all_reduce(self.path_mean, reduce_op="mean")
            self.path_mean = mean_of_all
        values["path_gradient"] = self.generator_descent.step()

    def update_discriminator(self, fakes: list[Tensor], values: dict[str, float | Tensor]) -> None:
        """The logistic loss on made and real pictures."""
        self.discriminator_descent.zero()
        losses, signs = [], []
        for fake in fakes:
            real = self.pictures.draw(self.part)
            with self.fabric.autocast():
                fake_logits = self.judge(augment(fake, self.strength.p))
                real_logits = self.judge(augment(real, self.strength.p))
                loss = discriminator_adversarial(real_logits, fake_logits)
            self.discriminator_descent.backward(loss / len(fakes))
            self.strength.see(real_logits)
            losses.append(loss.detach())
            signs.append(real_logits.detach().sign().mean())
        values["discriminator"] = torch.stack(losses).mean()
        values["real_sign"] = torch.stack(signs).mean()
        values["discriminator_gradient"] = self.discriminator_descent.step()

    def regularise_discriminator(self, values: dict[str, float | Tensor]) -> None:
        """R1; its gradient counts for all the updates until the next one."""
        self.discriminator_descent.zero()
        accumulate = self.settings.run.accumulate
        for _ in range(accumulate):
            real = augment(self.pictures.draw(self.part), self.strength.p)
            with self.penalty_precision():
                penalty = r1_penalty(self.discriminator, real)
            weight = self.r1_gamma * self.adversarial.r1_every / accumulate
            self.discriminator_descent.backward(weight * penalty)
            values["r1"] = penalty.detach()
        values["r1_gradient"] = self.discriminator_descent.step()

    def draw_ws(self, count: int) -> Tensor:
        """W+ of random pictures [N, L, w_dim], styles mixed; moves the mean of w."""
        network = self.generator.settings
        z = torch.randn(2, count, network.z_dim, device=self.fabric.device)
        w = self.generator.mapping(z.flatten(0, 1)).unflatten(0, (2, count)).float()
        w_avg = self.generator.mapping.w_avg
        w_avg.lerp_(w[0].detach().mean(0), W_AVERAGE)
        chance = torch.rand(count, 1, device=w.device) < self.adversarial.style_mixing
        cut = torch.randint(1, network.num_ws, (count, 1), device=w.device)
        other = (torch.arange(network.num_ws, device=w.device) >= cut) & chance
        return torch.where(other[:, :, None], w[1][:, None], w[0][:, None])

    def penalty_precision(self) -> Any:
        """bf16 has fp32's range and serves the penalties; fp16 would lose the small gradients inside them."""
        if self.fabric.strategy.precision.precision == "16-mixed":
            return torch.autocast(self.fabric.device.type, enabled=False)
        return self.fabric.autocast()

    # -- the run folder ---------------------------------------------------------------------------------

    def stateful(self) -> dict[str, Any]:
        """What has a state_dict."""
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminator": self.discriminator,
            "generator_descent": self.generator_descent,
            "discriminator_descent": self.discriminator_descent,
            "strength": self.strength,
        }

    def state(self) -> dict[str, Any]:
        """Networks, average, optimisers, the strength of the augmentation and the mean path length."""
        state = {name: part.state_dict() for name, part in self.stateful().items()}
        return {**state, "path_mean": self.path_mean}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        for name, part in self.stateful().items():
            part.load_state_dict(state[name])
        self.path_mean = state["path_mean"].to(self.fabric.device)

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
    try:
        discriminator = load_discriminator(settings.start, settings.network.resolution)
    except LifelikeError:  # a bundle or a generator's file has none
        discriminator = Discriminator(generator.settings)
    return generator, discriminator


def r1_weight(settings: PhotoSettings) -> float:
    """γ: as set, or 0.0002 · res² / batch (stylegan2-ada-pytorch train.py, "auto")."""
    given = settings.adversarial.r1_gamma
    return 0.0002 * settings.network.resolution**2 / settings.run.batch if given is None else given


def lazy_adam(network: nn.Module, rate: float, every: int) -> torch.optim.Adam:
    """Adam (0, 0.99) that makes up for the updates of a penalty taken each `every` updates (1912.04958, appendix B)."""
    share = every / (every + 1) if every else 1.0
    return torch.optim.Adam(network.parameters(), rate * share, betas=(0.0, 0.99**share), eps=1e-8)
