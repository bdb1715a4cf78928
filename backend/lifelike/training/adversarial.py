# SPDX-License-Identifier: GPL-3.0-or-later
"""What trainings of a generator against a discriminator share: StyleGAN2 with adaptive discriminator augmentation.

Karras et al., arXiv 1912.04958 (losses, lazy regularisation) and arXiv 2006.06676 (augmentation); the order of the
updates is stylegan2-ada-pytorch's. Two things are done for speed: the discriminator learns from the pictures the
generator was just updated with, and R1 is taken at the changed pictures, as the discriminator sees them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from attrs import field, frozen, validators
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import Tensor, nn

from lifelike.networks.stylegan2 import Discriminator, Generator, MappingNetwork
from lifelike.training.augmentation.ada import augment
from lifelike.training.augmentation.strength import AdaSettings, AugmentationStrength
from lifelike.training.average import average_of, update_average
from lifelike.training.descent import Descent, place
from lifelike.training.losses.adversarial import discriminator_adversarial, path_length_penalty, r1_penalty
from lifelike.training.processes import part_size
from lifelike.training.random_pictures import RandomPictures
from lifelike.training.task import Moment, RunSettings, Task

Values = dict[str, float | Tensor]


@frozen
class AdversarialSettings:
    """StyleGAN2's updates, the table ``[adversarial]`` of a configuration.

    learning_rate: Adam's for the generator; 0 for the first and 0.99 for the second moment.
    discriminator_rate: the discriminator's.
    r1_gamma: weight of the R1 penalty; not given: 0.0002 · resolution² / batch.
    r1_every: updates between two R1 penalties; 0: never.
    path_weight: of the path length penalty.
    path_every: updates between two path length penalties; 0: never.
    path_share: share of the batch that the path length is measured on.
    style_mixing: probability that a picture's later layers get another w.
    average: half-life of the averaged generator, in pictures.
    average_ramp: the half-life's largest share of the pictures seen so far.
    """

    learning_rate: float = 2.5e-3  # stylegan2-ada-pytorch train.py, "auto" below 1024 pixels
    discriminator_rate: float = 2.5e-3  # the same
    r1_gamma: float | None = None  # the same: 0.0002 · res² / batch
    r1_every: int = field(default=16, validator=validators.ge(0))  # arXiv 1912.04958, appendix B
    path_weight: float = 2.0  # stylegan2-ada-pytorch training/loss.py, pl_weight
    path_every: int = field(default=4, validator=validators.ge(0))  # stylegan2-ada-pytorch, G_reg_interval
    path_share: float = field(default=0.5, validator=validators.gt(0.0))  # stylegan2-ada-pytorch, pl_batch_shrink 2
    style_mixing: float = 0.9  # arXiv 1812.04948, section 3.1
    average: float = 10_000.0  # arXiv 2006.06676, appendix D
    average_ramp: float = 0.05  # stylegan2-ada-pytorch train.py, ema_rampup of "auto"


class AdversarialRunSettings(Protocol):
    """What the settings of such a training have."""

    @property
    def mirror(self) -> bool: ...
    @property
    def adversarial(self) -> AdversarialSettings: ...
    @property
    def ada(self) -> AdaSettings: ...
    @property
    def run(self) -> RunSettings: ...


class AdversarialTask(Task):
    """Generator, its average, discriminator, their optimisers and the pictures.

    Subclasses say what a generator is trained with (`generator_loss`), and may let layers stand still.
    """

    noise = "random"  # of the generator in training, as in stylegan2-ada-pytorch

    def __init__(
        self,
        settings: AdversarialRunSettings,
        fabric: Fabric,
        networks: tuple[Generator, Discriminator],
        pixels: NDArray[np.uint8],
    ) -> None:
        self.fabric, self.run, self.adversarial = fabric, settings.run, settings.adversarial
        self.pictures = RandomPictures(pixels, settings.mirror, fabric.device)
        self.generator, self.discriminator = networks
        for network in networks:
            place(network, fabric)
        self.average = average_of(self.generator)
        a = self.adversarial
        adam = lazy_adam(self.generator, a.learning_rate, a.path_every)
        self.generator_descent = Descent(fabric, adam, "generator")
        adam = lazy_adam(self.discriminator, a.discriminator_rate, a.r1_every)
        self.discriminator_descent = Descent(fabric, adam, "discriminator")
        self.strength = AugmentationStrength(settings.ada, settings.run.batch, fabric)
        self.path_mean = torch.zeros((), device=fabric.device)
        resolution = networks[0].settings.resolution
        # stylegan2-ada-pytorch train.py, "auto"
        self.r1_gamma = 0.0002 * resolution**2 / self.run.batch if a.r1_gamma is None else a.r1_gamma
        self.part = part_size(settings.run, fabric)
        # Penalties differentiate twice, which compiled code cannot: they call the networks themselves.
        compiled: Callable[[Any], Any] = torch.compile if self.run.compile else lambda network: network
        self.synthesise, self.judge = compiled(self.generator.synthesis), compiled(self.discriminator)

    @abstractmethod
    def generator_loss(self, moment: Moment, first: bool, values: Values) -> tuple[Tensor, Tensor]:
        """Made pictures [N3RR] of one part of a batch and the loss [] of the generator, its terms noted in `values`.

        `first` is True for the first part of an update.
        """

    def free_generator(self, moment: Moment) -> None:
        """Let those parameters of the generator learn that are to learn now."""
        self.generator.requires_grad_(True)

    def free_discriminator(self, moment: Moment) -> None:
        """Let those parameters of the discriminator learn that are to learn now."""
        self.discriminator.requires_grad_(True)

    # -- one update -------------------------------------------------------------------------------------

    def step(self, moment: Moment) -> Values:
        """Generator, its path length, discriminator, its R1, then the averages."""
        a, values = self.adversarial, Values()
        values["ada_p"] = self.strength.p
        self.discriminator.requires_grad_(False)
        self.free_generator(moment)
        fakes = self.update_generator(moment, values)
        if a.path_every and moment.step % a.path_every == 0:
            self.regularise_generator(values)
        self.free_discriminator(moment)
        self.update_discriminator(fakes, values)
        if a.r1_every and moment.step % a.r1_every == 0:
            self.regularise_discriminator(values)
        self.strength.adapt(moment.step)
        update_average(self.average, self.generator, moment.pictures, self.run.batch, a.average, a.average_ramp)
        return values

    def update_generator(self, moment: Moment, values: Values) -> list[Tensor]:
        """The generator's loss; returns the made pictures, part by part."""
        self.generator_descent.zero()
        fakes = []
        for part in range(self.run.accumulate):
            with self.fabric.autocast():
                picture, loss = self.generator_loss(moment, part == 0, values)
            self.generator_descent.backward(loss / self.run.accumulate)
            fakes.append(picture.detach())
        values["generator_gradient"] = self.generator_descent.step()
        return fakes

    def regularise_generator(self, values: Values) -> None:
        """Path length; its gradient counts for all the updates until the next one."""
        a = self.adversarial
        count = max(1, round(self.part * a.path_share))
        self.generator_descent.zero()
        means = []
        for _ in range(self.run.accumulate):
            with self.penalty_precision():
                ws = self.draw_ws(count)
                ws = ws if ws.requires_grad else ws.requires_grad_(True)  # where the mapping network stands still
                penalty, mean = path_length_penalty(self.generator.synthesis(ws, self.noise), ws, self.path_mean)
            self.generator_descent.backward(a.path_weight * a.path_every / self.run.accumulate * penalty)
            means.append(mean.detach())
            self.note(values, {"path_length": mean, "path_penalty": penalty})
        self.path_mean = torch.stack(means).mean()
        if self.fabric.world_size > 1:
            mean_of_all: Any = self.fabric.all_reduce(self.path_mean, reduce_op="mean")
            self.path_mean = mean_of_all
        values["path_gradient"] = self.generator_descent.step()

    def update_discriminator(self, fakes: list[Tensor], values: Values) -> None:
        """The logistic loss on made and real pictures."""
        self.discriminator_descent.zero()
        for fake in fakes:
            real = self.pictures.draw(self.part)
            with self.fabric.autocast():
                fake_logits = self.judge(augment(fake, self.strength.p))
                real_logits = self.judge(augment(real, self.strength.p))
                loss = discriminator_adversarial(real_logits, fake_logits)
            self.discriminator_descent.backward(loss / len(fakes))
            self.strength.see(real_logits)
            self.note(values, {"discriminator": loss, "real_sign": real_logits.detach().sign().mean()})
        values["discriminator_gradient"] = self.discriminator_descent.step()

    def regularise_discriminator(self, values: Values) -> None:
        """R1; its gradient counts for all the updates until the next one."""
        self.discriminator_descent.zero()
        for _ in range(self.run.accumulate):
            real = augment(self.pictures.draw(self.part), self.strength.p)
            with self.penalty_precision():
                penalty = r1_penalty(self.discriminator, real)
            weight = self.r1_gamma * self.adversarial.r1_every / self.run.accumulate
            self.discriminator_descent.backward(weight * penalty)
            self.note(values, {"r1": penalty})
        values["r1_gradient"] = self.discriminator_descent.step()

    def note(self, values: Values, found: dict[str, Tensor]) -> None:
        """Add one part's scalars to those of the update, which are means over its parts."""
        for name, value in found.items():
            values[name] = values.get(name, 0.0) + value.detach().float() / self.run.accumulate

    # -- latents ----------------------------------------------------------------------------------------

    def draw_ws(self, count: int) -> Tensor:
        """W+ of random pictures [N, L, w_dim], styles mixed."""
        return self.mixed(self.generator.mapping, self.draw_z(count), self.draw_cuts(count))

    def draw_z(self, count: int) -> Tensor:
        """[2, count, z_dim]: two persons a picture."""
        return torch.randn(2, count, self.generator.settings.z_dim, device=self.fabric.device)

    def draw_cuts(self, count: int) -> Tensor:
        """[count, L] bool: which layers show the second person (arXiv 1812.04948, section 3.1)."""
        layers, device = self.generator.settings.num_ws, self.fabric.device
        chance = torch.rand(count, 1, device=device) < self.adversarial.style_mixing
        cut = torch.randint(1, layers, (count, 1), device=device)
        return (torch.arange(layers, device=device) >= cut) & chance

    @staticmethod
    def mixed(mapping: MappingNetwork, z: Tensor, second: Tensor) -> Tensor:
        """W+ [N, L, w_dim] of two persons each, z [2, N, z_dim], the second where `second` [N, L] says so."""
        w = mapping(z.flatten(0, 1)).unflatten(0, z.shape[:2]).float()
        return torch.where(second[:, :, None], w[1][:, None], w[0][:, None])

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


def lazy_adam(network: nn.Module, rate: float, every: int) -> torch.optim.Adam:
    """Adam (0, 0.99) that makes up for the updates of a penalty taken each `every` updates (1912.04958, appendix B)."""
    share = every / (every + 1) if every else 1.0
    return torch.optim.Adam(network.parameters(), rate * share, betas=(0.0, 0.99**share), eps=1e-8)
