# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train pair`: a generator pair and its encoder together, on renders that come with their photo look.

The paper fine-tunes a copy of a photo generator on renders (`lifelike train photo`, `render`, `encoder` do that); it
needs a generator trained on many photographs. Where there is none, but every render exists in a photo look too, this
way is shorter (reconstructed throughout): both generators grow from the same weights, with one mapping network and the
same noise buffers. The encoder turns a render x into a latent, G_render learns to give x back, G_photo its photo look,
and what is shown, x + G_photo − G_render, is held to the truth, to the identity and, by a discriminator, to the photo
look.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor, nn

from lifelike.bundles import load_bundle
from lifelike.networks.encoder import Latent
from lifelike.networks.stylegan2 import Discriminator, GeneratorSettings
from lifelike.networks.weights import save_weights
from lifelike.training.average import average_of, update_average
from lifelike.training.descent import Descent, place
from lifelike.training.losses.adversarial import discriminator_adversarial, generator_adversarial, r1_penalty
from lifelike.training.losses.identity import identity
from lifelike.training.losses.latents import latent_offsets
from lifelike.training.losses.reconstruction import detail_energy, pyramid_l1, texture_energy
from lifelike.training.networks import load_identity
from lifelike.training.pair.augmentation import discriminator_augmentation, finest_band
from lifelike.training.pair.batches import Batch
from lifelike.training.pair.data import load_training_data
from lifelike.training.pair.settings import PairSettings, encoder_settings
from lifelike.training.pair.start import fresh_networks, grow
from lifelike.training.picture_grid import picture_grid
from lifelike.training.processes import part_size
from lifelike.training.random_pictures import signed
from lifelike.training.task import Moment, Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SCALES = 3  # of the texture term: bands of one, two and four pixels
SHEET_ROWS = 6
EARLY = 0.2  # share of the pictures seen that the average spans at first: a short run


class PairTask(Task):
    """Both generators, the encoder and one discriminator, with their optimisers and data."""

    kind = "pair"
    settings_class = PairSettings

    def __init__(self, settings: PairSettings, fabric: Fabric) -> None:
        self.settings, self.fabric = settings, fabric
        sizes = encoder_settings(settings.generator, settings.encoder)
        self.photo, self.render, self.encoder = fresh_networks(settings.generator, sizes, settings.rates.weight_size)
        if settings.start:
            grow(load_bundle(settings.start, "cpu"), self.photo, self.render, self.encoder)
        self.embedder = load_identity(settings.identity).to(fabric.device) if settings.identity else None
        self.data, self.held_out = load_training_data(settings.data, settings.generator.resolution)
        critic = settings.generator
        self.critic = Discriminator(
            GeneratorSettings(critic.resolution, max(critic.channel_base // 2, 1), critic.channel_max)
        )
        self.trained = nn.ModuleDict({"encoder": self.encoder, "render": self.render, "photo": self.photo})
        for network in (self.trained, self.critic):
            place(network, fabric)
        self.average = average_of(self.trained)
        rates = settings.rates
        generators = [*self.photo.synthesis.parameters(), *self.render.synthesis.parameters()]
        adam = torch.optim.Adam
        self.encoding = Descent(fabric, adam(self.encoder.parameters(), rates.encoder, (0.9, 0.99)), "encoder")
        self.generating = Descent(fabric, adam(generators, rates.generators, (0.9, 0.99)), "generators")
        self.judging = Descent(
            fabric, adam(self.critic.parameters(), rates.discriminator, (0.0, 0.99)), "discriminator"
        )

    def step(self, moment: Moment) -> dict[str, float | Tensor]:
        """One update of everything."""
        factor = rate_factor(moment, self.settings)
        self.encoding.rate(factor)
        self.generating.rate(factor)
        run, parts = self.settings.run, self.settings.run.accumulate
        for descent in (self.encoding, self.generating, self.judging):
            descent.zero()
        values: dict[str, float | Tensor] = {"rate": factor}
        for _ in range(parts):
            batch = self.data.draw(part_size(run, self.fabric), self.settings.data.share_faces, self.fabric.device)
            with self.fabric.autocast():
                terms, shown = self.pair_terms(batch, moment)
                add_up(self.encoding, terms, parts, values)
                terms = self.critic_terms(batch.photo[len(shown) :], shown.detach(), moment)
                add_up(self.judging, terms, parts, values)
        for descent in (self.encoding, self.generating, self.judging):
            values[f"gradient_{descent.name}"] = descent.step(clip=1.0)
        update_average(self.average, self.trained, moment.pictures, run.batch, self.settings.rates.average, EARLY)
        return values

    def pair_terms(self, batch: Batch, moment: Moment) -> tuple[dict[str, Tensor], Tensor]:
        """The weighted terms of encoder and generators on portraits, and pictures for the discriminator."""
        s = self.settings.weights
        latent = drop_features(self.encoder(batch.render), s.feature_drop)
        a = self.render.synthesis(latent.ws, features=latent.features)
        b = self.photo.synthesis(latent.ws, features=latent.features)
        difference = batch.render + b - a
        weight = 0.25 + 0.75 * batch.region
        paired = weight * batch.paired[:, None, None, None]
        known = weight * torch.where(batch.paired > 0, 1.0, s.texture_unpaired)[:, None, None, None]
        textures = [texture_energy(picture, batch.photo, known, SCALES) for picture in (b, difference)]
        details = [detail_energy(picture, batch.photo, known, SCALES) for picture in (b, difference)]
        terms = {
            "render": s.render * pyramid_l1(a, batch.render, weight, fine=1.0),
            "photo": s.photo * pyramid_l1(b, batch.photo, paired),
            "difference": s.difference * pyramid_l1(difference, batch.photo, paired),
            "texture": s.texture * (textures[0] + textures[1]),
            "detail": s.detail * (details[0] + details[1]),
            "offsets": s.offsets * latent_offsets(latent.ws),
        }
        shown = shown_pictures(b, difference, batch, moment.step)
        say = min(max((moment.pictures - s.adversarial_from) / max(s.adversarial_rise, 1), 0.0), 1.0)
        if say > 0:
            self.critic.requires_grad_(False)
            logits = self.critic(finest_band(discriminator_augmentation(shown)))
            terms["adversarial"] = s.adversarial * say * generator_adversarial(logits)
        if self.embedder is not None:
            target = self.embedder(batch.render).detach()
            terms["identity"] = s.identity * identity(self.embedder(difference), target)
        return terms, shown

    def critic_terms(self, real: Tensor, fake: Tensor, moment: Moment) -> dict[str, Tensor]:
        """The discriminator's terms on real photo looks and on made ones."""
        s = self.settings.weights
        self.critic.requires_grad_(True)
        logits = self.critic(finest_band(discriminator_augmentation(torch.cat([real[: len(fake)], fake]))))
        real_logits, fake_logits = logits.chunk(2)
        terms = {"critic": discriminator_adversarial(real_logits, fake_logits)}
        if moment.step % s.r1_every == 0:
            penalty = r1_penalty(self.critic, finest_band(discriminator_augmentation(real[:4])))
            terms["r1"] = s.r1_gamma * s.r1_every * penalty
        return terms

    def state(self) -> dict[str, Any]:
        """Networks, their average and the optimisers."""
        return {name: getattr(self, name).state_dict() for name in _SAVED}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from `state()`."""
        for name in _SAVED:
            getattr(self, name).load_state_dict(state[name])

    @torch.inference_mode()
    def sheet(self) -> Image.Image:
        """Per row of fixed held-out pairs: input, G_render, G_photo, difference, truth."""
        shown = slice(0, None, max(len(self.held_out) // SHEET_ROWS, 1))
        x, truth = (
            signed(torch.from_numpy(pictures[shown][:SHEET_ROWS]).to(self.fabric.device))
            for pictures in (self.held_out.render, self.held_out.photo)
        )
        net: dict[str, Any] = dict(self.average.items())
        with self.fabric.autocast():
            latent = net["encoder"](x)
            a = net["render"].synthesis(latent.ws, features=latent.features)
            b = net["photo"].synthesis(latent.ws, features=latent.features)
        table = torch.stack([x, a, b, x + b - a, truth], 1)
        return picture_grid(table.flatten(0, 1), columns=table.shape[1])

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        """The averaged networks: photo, render and encoder."""
        written = []
        for name, kind in (("photo", "generator"), ("render", "generator"), ("encoder", "encoder")):
            network: nn.Module = self.average[name]
            save_weights(folder / f"{name}.safetensors", network, kind, card)
            written.append(folder / f"{name}.safetensors")
        return written


def add_up(descent: Descent, terms: dict[str, Tensor], parts: int, values: dict[str, float | Tensor]) -> None:
    """Add the gradients of all terms, and their values to the scalars; `parts` of them make an update."""
    descent.backward(torch.stack(list(terms.values())).sum() / parts)
    for key, value in terms.items():
        values[key] = values.get(key, 0.0) + value.detach() / parts


_SAVED = ("trained", "average", "critic", "encoding", "generating", "judging")


def rate_factor(moment: Moment, settings: PairSettings) -> float:
    """Warm-up, then constant, then a cosine down to a twentieth at the end of the run."""
    rates = settings.rates
    rise = min((moment.step + 1) / max(rates.warm_up, 1), 1.0)
    late = max(0.0, moment.fraction - rates.decay_from) / max(1 - rates.decay_from, 1e-9)
    return rise * (0.525 + 0.475 * math.cos(math.pi * min(late, 1.0)))


def shown_pictures(photo: Tensor, difference: Tensor, batch: Batch, step: int) -> Tensor:
    """What the discriminator sees of the first half of a batch: the plain decode and the difference in turn.

    Outside the head the backdrop is the truth's: no look has to be invented there.
    """
    half = max(len(photo) // 2, 1)
    plain = (torch.arange(half, device=photo.device) + step) % 2 == 0
    shown = torch.where(plain[:, None, None, None], photo[:half], difference[:half])
    return batch.photo[:half].lerp(shown, batch.region[:half])


def drop_features(latent: Latent, share: float) -> Latent:
    """Silence the feature code of a random `share` of the portraits."""
    count = latent.ws.shape[0]
    keep = (torch.rand(count, 1, 1, 1) >= share).float().to(latent.ws.device)
    return Latent(latent.ws, {resolution: keep * code for resolution, code in latent.features.items()})
