# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains a small generator pair and its encoder together on paired heads.

`python -m lifelike.training.generator_pair --pairs DIR --run DIR --minutes M`

The paper fine-tunes a copy of a photo generator on renders; that needs a generator trained on many
photographs, which this first bundle does not have. Here (reconstructed throughout) both generators grow
together from the same initial weights, with one mapping network and the same noise buffers: the encoder
turns a render x into a latent, G_render learns to give x back, G_photo its photo look, and what is shown,
x + G_photo − G_render, is held to the truth, to the identity and, by a discriminator, to the photo look.
Every few steps latents are drawn through the mapping network instead, so that the pair are generators too.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from attrs import asdict, frozen
from PIL import Image
from torch import Tensor, nn

from lifelike.datasets.pairs import Pairs, load_faces, load_pairs
from lifelike.networks.encoder import Encoder, EncoderSettings, Latent
from lifelike.networks.identity import IdentityNetwork
from lifelike.networks.stylegan2 import Discriminator, Generator, GeneratorSettings, SynthesisLayer
from lifelike.networks.weights import load_weights
from lifelike.training.checkpoint import load_checkpoint, save_checkpoint
from lifelike.training.losses.adversarial import discriminator_adversarial, generator_adversarial, r1_penalty
from lifelike.training.losses.colour import colour_agreement
from lifelike.training.losses.identity import identity
from lifelike.training.losses.latents import latent_offsets
from lifelike.training.losses.reconstruction import pyramid_l1, texture_energy
from lifelike.training.pair_augmentation import discriminator_augmentation
from lifelike.training.pair_batches import Batch, TrainingData, to_signed


@frozen
class PairTraining:
    """Settings of a run; the defaults are those the built-in bundle's run ended with (docs/results.md)."""

    seed: int = 0
    batch: int = 8
    encoder_rate: float = 5e-4  # pSp and e4e take 1e-4 over far more steps
    learning_rate: float = 1.5e-3  # generators; StyleGAN2 takes 2e-3 on weights four times as large
    weight_size: float = 0.25  # of the modulated convolutions at the start, see `shrink_weights`
    decay_from: float = 0.75  # share of the run after which rates fall along a cosine, to a twentieth
    warm_up: int = 100  # steps
    discriminator_rate: float = 2e-3  # StyleGAN2
    ema_images: float = 2000.0  # half-life; StyleGAN2-ADA's 10 kimg is longer than such a short run bears
    feature_drop: float = 0.05  # share of pictures inverted by W+ alone, so that W+ carries the person
    r1_gamma: float = 1.0  # 0.0002 · res² / batch gives 0.4 (StyleGAN2-ADA); more for few pictures
    r1_every: int = 16  # StyleGAN2, lazy regularisation
    latent_every: int = 8  # steps between those on drawn latents
    weight_render: float = 1.0
    weight_photo: float = 1.0
    weight_difference: float = 4.0
    weight_texture: float = 4.0
    weight_adversarial: float = 0.08
    weight_identity: float = 0.3
    weight_offsets: float = 2e-3
    adversarial_from: int = 13000  # pictures seen before the discriminator has a say


class PairRun:
    """The networks, optimisers and data of one run."""

    def __init__(self, settings: PairTraining, generator: GeneratorSettings, data: TrainingData) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.data = settings, data
        self.random = torch.Generator().manual_seed(settings.seed)
        self.photo = Generator(generator)
        shrink_weights(self.photo, settings.weight_size)
        self.render = copy.deepcopy(self.photo)
        self.render.mapping = self.photo.mapping
        features = EncoderSettings(
            resolution=generator.resolution,
            num_ws=generator.num_ws,
            w_dim=generator.w_dim,
            width=24,
            width_max=128,
            feature_resolutions=(32, 64),
            feature_channels=(generator.channels(32), generator.channels(64)),
        )
        self.encoder = Encoder(features)
        critic = GeneratorSettings(generator.resolution, generator.channel_base // 2, generator.channel_max)
        self.critics = nn.ModuleDict({"photo": Discriminator(critic), "render": Discriminator(critic)})
        self.trained = nn.ModuleDict({"encoder": self.encoder, "render": self.render, "photo": self.photo})
        self.trained.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.critics.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = copy.deepcopy(self.trained).requires_grad_(False)
        generators = [*self.photo.parameters(), *self.render.synthesis.parameters()]
        self.rates = [settings.encoder_rate, settings.learning_rate]
        groups = [
            {"params": list(self.encoder.parameters()), "lr": self.rates[0]},
            {"params": generators, "lr": self.rates[1]},
        ]
        self.optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99))
        self.critic_optimiser = torch.optim.Adam(self.critics.parameters(), settings.discriminator_rate, (0.0, 0.99))
        self.embedder: nn.Module | None = None
        self.step, self.pictures, self.seconds = 0, 0, 0.0
        self.length = math.inf  # seconds the run will take, once known

    # -- one step ---------------------------------------------------------------------------------

    def advance(self) -> dict[str, float]:
        """One update of everything; returns the values of the terms."""
        values: dict[str, float] = {}
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.rate_factor()
        with torch.autocast("cpu", torch.bfloat16):
            batch = self.data.draw(self.settings.batch, self.random)
            fake = self.update_pair(batch, values)
            if self.pictures >= self.settings.adversarial_from:
                self.update_critic("photo", batch.photo[len(fake) :], fake, values)
                if self.step % self.settings.latent_every == 0:
                    self.update_from_latents(batch, values)
        self.update_average()
        self.step += 1
        self.pictures += self.settings.batch
        return values

    def rate_factor(self) -> float:
        """Warm-up, then constant, then a cosine down to a twentieth at the end of the run."""
        rise = min((self.step + 1) / self.settings.warm_up, 1.0)
        late = max(0.0, self.seconds / self.length - self.settings.decay_from) / (1 - self.settings.decay_from)
        return rise * (0.525 + 0.475 * math.cos(math.pi * min(late, 1.0)))

    def update_pair(self, batch: Batch, values: dict[str, float]) -> Tensor:
        """Encoder and generators on portraits; returns pictures for the discriminator."""
        s = self.settings
        latent = drop_features(self.encoder(batch.render), s.feature_drop, self.random)
        a = self.render.synthesis(latent.ws, features=latent.features)
        b = self.photo.synthesis(latent.ws, features=latent.features)
        difference = batch.render + b - a
        weight = 0.25 + 0.75 * batch.region
        terms = {
            "render": s.weight_render * pyramid_l1(a, batch.render, weight, fine=1.0),
            "offsets": s.weight_offsets * latent_offsets(latent.ws),
        }
        paired = weight * batch.paired[:, None, None, None]
        terms["photo"] = s.weight_photo * pyramid_l1(b, batch.photo, paired)
        terms["difference"] = s.weight_difference * pyramid_l1(difference, batch.photo, paired)
        texture = texture_energy(b, batch.photo, paired) + texture_energy(difference, batch.photo, paired)
        terms["texture"] = s.weight_texture * texture
        # Outside the head the backdrop is the truth's: no look has to be invented there.
        half = len(b) // 2
        plain = (torch.arange(half) + self.step) % 2 == 0  # the plain decode's turn, in every other picture
        shown = torch.where(plain[:, None, None, None], b[:half], difference[:half])
        shown = batch.photo[:half].lerp(shown, batch.region[:half])
        if self.pictures >= s.adversarial_from:
            self.critics.requires_grad_(False)
            logits = self.critics["photo"](discriminator_augmentation(shown))
            terms["adversarial"] = s.weight_adversarial * generator_adversarial(logits)
        if self.embedder is not None:
            target = self.embedder(batch.render).detach()
            terms["identity"] = s.weight_identity * identity(self.embedder(difference), target)
        self.descend(self.optimiser, terms, values)
        return shown.detach()

    def update_critic(self, look: str, real: Tensor, fake: Tensor, values: dict[str, float]) -> None:
        """One discriminator on real pictures of its look and on made ones."""
        critic = self.critics[look].requires_grad_(True)
        logits = critic(discriminator_augmentation(torch.cat([real[: len(fake)], fake])))
        real_logits, fake_logits = logits.chunk(2)
        terms = {f"critic_{look}": discriminator_adversarial(real_logits, fake_logits)}
        if self.step % self.settings.r1_every == 0:
            penalty = r1_penalty(critic, discriminator_augmentation(real[:4]))
            terms[f"r1_{look}"] = self.settings.r1_gamma * self.settings.r1_every * penalty
        values[f"real_{look}"] = float(real_logits.detach().sign().mean())
        self.descend(self.critic_optimiser, terms, values)

    def update_from_latents(self, batch: Batch, values: dict[str, float]) -> None:
        """Both generators on drawn latents: each its own look, together one picture in colour and light."""
        z = torch.randn(self.settings.batch // 2, self.photo.settings.z_dim, generator=self.random)
        ws = self.photo.w_plus(self.photo.mapping(z))
        self.photo.mapping.w_avg.lerp_(ws[:, 0].detach().float().mean(0), 0.01)
        made = {"render": self.render.synthesis(ws), "photo": self.photo.synthesis(ws)}
        self.critics.requires_grad_(False)
        terms = {"agreement": 0.5 * colour_agreement(made["render"], made["photo"])}
        for look, picture in made.items():
            logits = self.critics[look](discriminator_augmentation(picture))
            terms[f"drawn_{look}"] = self.settings.weight_adversarial * generator_adversarial(logits)
        self.descend(self.optimiser, terms, values)
        self.update_critic("photo", batch.photo[:4], made["photo"].detach(), values)
        self.update_critic("render", batch.render[:4], made["render"].detach(), values)

    @staticmethod
    def descend(optimiser: torch.optim.Optimizer, terms: dict[str, Tensor], values: dict[str, float]) -> None:
        """Add up the terms, step, and note their values."""
        total = torch.stack(list(terms.values())).sum()
        if not torch.isfinite(total):
            found = {name: float(value.detach()) for name, value in terms.items()}
            raise FloatingPointError(f"a loss is not finite: {found}")
        optimiser.zero_grad(set_to_none=True)
        total.backward()
        for group in optimiser.param_groups:
            nn.utils.clip_grad_norm_(group["params"], 1.0)
        optimiser.step()
        values.update({key: float(value.detach()) for key, value in terms.items()})

    @torch.no_grad()
    def update_average(self) -> None:
        """Exponential moving average of the trained networks (StyleGAN2's EMA)."""
        decay = 0.5 ** (self.settings.batch / min(self.settings.ema_images, max(self.pictures, 1) * 0.2 + 1))
        for kept, now in zip(self.average.parameters(), self.trained.parameters(), strict=True):
            kept.lerp_(now, 1 - decay)
        for copied, buffer in zip(self.average.buffers(), self.trained.buffers(), strict=True):
            copied.copy_(buffer)

    # -- the run folder -----------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """Everything a resumed run needs."""
        return {
            "trained": self.trained.state_dict(),
            "average": self.average.state_dict(),
            "critics": self.critics.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "critic_optimiser": self.critic_optimiser.state_dict(),
            "random": self.random.get_state(),
            "torch_random": torch.get_rng_state(),
            "progress": {"step": self.step, "pictures": self.pictures, "seconds": self.seconds},
            "generator": asdict(self.photo.settings),
            "encoder": asdict(self.encoder.settings),
            "training": asdict(self.settings),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        for name in ("trained", "average", "critics", "optimiser", "critic_optimiser"):
            getattr(self, name).load_state_dict(state[name])
        self.random.set_state(state["random"])
        torch.set_rng_state(state["torch_random"])
        for name, value in state["progress"].items():
            setattr(self, name, value)

    @torch.inference_mode()
    def sheet(self, pairs: Pairs, rows: int = 6) -> Image.Image:
        """Per row of fixed pairs: input, G_render, G_photo, difference, truth; last row drawn latents."""
        shown = slice(0, None, max(len(pairs) // rows, 1))
        x, truth = to_signed(pairs.render[shown][:rows]), to_signed(pairs.photo[shown][:rows])
        net: dict[str, Any] = dict(self.average.items())
        latent = net["encoder"](x)
        a = net["render"].synthesis(latent.ws, features=latent.features)
        b = net["photo"].synthesis(latent.ws, features=latent.features)
        z = torch.randn(5, self.photo.settings.z_dim, generator=torch.Generator().manual_seed(1))
        drawn = net["photo"](z, 0.7)
        table = torch.cat([torch.stack([x, a, b, x + b - a, truth], 1), drawn[None]])
        pixels = ((table + 1) * 127.5).clamp(0, 255).byte().permute(0, 3, 1, 4, 2)
        return Image.fromarray(pixels.flatten(2, 3).flatten(0, 1).numpy())


def shrink_weights(generator: Generator, size: float) -> None:
    """Make the modulated convolutions' weights `size` times as large.

    Demodulation takes their size out again, so the pictures stay the same; but a step of the optimiser is larger
    beside smaller weights. A short run needs that.
    """
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, SynthesisLayer):
                module.weight.mul_(size)


def drop_features(latent: Latent, share: float, random: torch.Generator) -> Latent:
    """Silence the feature code of a random `share` of the portraits."""
    keep = (torch.rand(latent.ws.shape[0], 1, 1, 1, generator=random) >= share).float()
    return Latent(latent.ws, {resolution: keep * code for resolution, code in latent.features.items()})


def frozen_identity(file: Path) -> IdentityNetwork:
    """The identity network of `file`, for the identity term: its weights never move."""
    settings, weights, _ = load_weights(file, "identity")
    network = IdentityNetwork(settings)
    network.load_state_dict(weights)
    return network.eval().requires_grad_(False)


def train(run: PairRun, folder: Path, minutes: float, reserved: Pairs) -> Iterator[dict[str, float]]:
    """Advance until `minutes` of training time are used up; a checkpoint and a sheet every few minutes."""
    checkpoint = folder / "checkpoint.pt"
    state = load_checkpoint(checkpoint)
    if state is not None:
        run.restore(state)
    run.length = minutes * 60
    saved = run.seconds
    with (folder / "scalars.jsonl").open("a") as log:
        while run.seconds < minutes * 60:
            started = time.monotonic()
            values = run.advance()
            run.seconds += time.monotonic() - started
            values |= {"pictures": run.pictures, "seconds": round(run.seconds, 1)}
            if run.step % 20 == 0:
                log.write(json.dumps(values) + "\n")
                log.flush()
            if run.seconds - saved > 180 or run.seconds >= minutes * 60:
                saved = run.seconds
                save_checkpoint(checkpoint, run.state())
                run.sheet(reserved).save(folder / "sheet.png")
            yield values


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=Path, required=True, help="folder of paired heads")
    parser.add_argument("--run", type=Path, required=True, help="folder of the run; continued where it stopped")
    parser.add_argument("--faces", type=Path, help="folder of renders without a photo look (the example avatar)")
    parser.add_argument("--identity", type=Path, help="identity network (safetensors) for the identity term")
    parser.add_argument("--minutes", type=float, default=60.0, help="training time in all")
    parser.add_argument("--channel-base", type=int, default=3072)
    parser.add_argument("--channel-max", type=int, default=96)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    arguments.run.mkdir(parents=True, exist_ok=True)
    cache = arguments.run / "cache"
    generator = GeneratorSettings(channel_base=arguments.channel_base, channel_max=arguments.channel_max)
    pairs = load_pairs(arguments.pairs, generator.resolution, cache)
    alone = load_faces(arguments.faces, generator.resolution, cache) if arguments.faces else None
    run = PairRun(PairTraining(), generator, TrainingData(pairs.training(), alone))
    if arguments.identity:
        run.embedder = frozen_identity(arguments.identity)
    for values in train(run, arguments.run, arguments.minutes, pairs.reserved()):
        if run.step % 20 == 0:
            print("  ".join(f"{key} {value:.4g}" for key, value in values.items()), flush=True)


if __name__ == "__main__":
    main()
