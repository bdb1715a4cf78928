# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train encoder`: portrait → W+ of a render generator that stands still, in e4e's form (reconstructed).

Beside the data's renders the generator's own pictures are inverted, whose latents are known; and where the data has the
photo look of a render, the other generator must show it at the same latent.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image
from torch import Tensor

from lifelike.networks.encoder import Latent
from lifelike.networks.weights import save_weights
from lifelike.training.descent import Descent, place, require_gradients
from lifelike.training.encoder.codes import LatentCritic, free_layers, limited
from lifelike.training.encoder.measure import measure
from lifelike.training.encoder.networks import frozen_generators, latent_statistics, starting_encoder
from lifelike.training.encoder.perceptual import perceptual_distance
from lifelike.training.encoder.renders import Batch, EncoderBatches, read_renders
from lifelike.training.encoder.settings import EncoderTraining
from lifelike.training.encoder.sheet import draw_sheet
from lifelike.training.encoder.terms import Frozen, encoder_terms
from lifelike.training.learning_rate import warm_cosine
from lifelike.training.losses.adversarial import discriminator_adversarial, generator_adversarial, r1_penalty
from lifelike.training.networks import load_identity
from lifelike.training.processes import part_size
from lifelike.training.task import Moment, Task

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Values = dict[str, float | Tensor]


class EncoderTask(Task):
    """The encoder and the latent discriminator, with frozen networks about them."""

    kind = "encoder"
    settings_class = EncoderTraining

    def __init__(self, settings: EncoderTraining, fabric: Fabric) -> None:
        self.settings, self.fabric = settings, fabric
        render, photo = frozen_generators(settings)
        mean, spread = latent_statistics(render)
        encoder = starting_encoder(settings, render, mean)
        identity = load_identity(settings.identity) if settings.identity else None
        for network in (render, photo, identity):
            if network is not None:
                place(network, fabric)
        resolution = render.settings.resolution
        perceptual = perceptual_distance(settings, identity, resolution, fabric)
        self.frozen = Frozen(render, photo, identity, perceptual, spread)
        self.renders = read_renders(settings.data, resolution) if settings.drawn.share < 1 else None
        self.batches = EncoderBatches(self.renders, render, settings.drawn, pairs=photo is not None)
        self.encoder = place(encoder, fabric)
        self.critic = place(LatentCritic(render.settings.w_dim), fabric)
        if settings.run.compile:  # not the encoder: its answer is a class that the compiler cannot follow
            for network in (render, photo):
                if network is not None:
                    network.synthesis.compile()
        rates = settings.rates
        # StyleGAN2's betas for generators, but with momentum, which an encoder bears; e4e takes Ranger.
        self.descent = Descent(fabric, torch.optim.Adam(encoder.parameters(), rates.rate, (0.9, 0.99)), "encoder")
        critic = torch.optim.Adam(self.critic.parameters(), rates.critic, (0.0, 0.99))
        self.critic_descent = Descent(fabric, critic, "latent discriminator")

    # -- one update -------------------------------------------------------------------------------------

    def step(self, moment: Moment) -> Mapping[str, float | Tensor]:
        run, values = self.settings.run, Values()
        free = self.free_layers(moment)
        self.descent.rate(warm_cosine(moment.fraction, 1.0))
        self.descent.zero()
        require_gradients([self.critic], False)
        codes = []
        for _ in range(run.accumulate):
            with self.fabric.autocast():
                batch = self.batches.draw(part_size(run, self.fabric), self.fabric.device)
            codes.append(self.encoder_part(batch, free, values).detach())
        values["gradient_norm"] = self.descent.step(self.settings.rates.clip)
        if self.settings.weights.critic > 0:
            self.update_critic(codes, moment, values)
        return {**values, "free_layers": float(free)}

    def free_layers(self, moment: Moment) -> int:
        """How many layers may differ from the first: all of them at once where an encoder is continued."""
        layers = self.encoder.settings.num_ws
        return layers - 1 if self.settings.start else free_layers(moment.fraction, layers, self.settings.progressive)

    def encoder_part(self, batch: Batch, free: int, values: Values) -> Tensor:
        """The encoder's gradient on one part of the batch; returns its codes, [N, layers, w_dim]."""
        weights, parts = self.settings.weights, self.settings.run.accumulate
        with self.fabric.autocast():
            latent = self.encode(batch, free)
            terms = encoder_terms(batch, latent, self.frozen, weights)
        ws = latent.ws[:, : free + 1]
        if weights.critic > 0:
            terms["critic"] = generator_adversarial(self.critic(ws.flatten(0, 1)))
        self.descent.backward(
            torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum() / parts
        )
        for name, term in terms.items():
            values[name] = values.get(name, 0.0) + term.detach() / parts
        return ws

    def encode(self, batch: Batch, free: int) -> Latent:
        """The batch's latents: so many free layers, and feature codes for most of what was not drawn."""
        latent: Latent = self.encoder(batch.render)
        keep = torch.rand(len(batch.render)).to(batch.render.device) >= self.settings.feature_drop
        keep[len(keep) - len(batch.drawn) :] = False  # a drawn picture is its w and nothing more
        features = {r: code * keep[:, None, None, None] for r, code in latent.features.items()}
        return Latent(limited(latent.ws, free), features)

    def update_critic(self, codes: list[Tensor], moment: Moment, values: Values) -> None:
        """The latent discriminator on drawn codes against the encoder's."""
        rates = self.settings.rates
        require_gradients([self.critic], True)
        self.critic_descent.zero()
        for ws in codes:
            fake = ws.flatten(0, 1)
            real = self.batches.latents(len(fake), fake.device)
            loss = discriminator_adversarial(self.critic(real), self.critic(fake))
            if moment.step % rates.r1_every == 0:
                penalty = r1_penalty(lambda w: self.critic(w.flatten(1)), real[:, :, None, None])
                loss = loss + rates.r1 * rates.r1_every * penalty
            self.critic_descent.backward(loss / len(codes))
            values["latent_discriminator"] = values.get("latent_discriminator", 0.0) + loss.detach() / len(codes)
        self.critic_descent.step()

    # -- the run folder ---------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {name: getattr(self, name).state_dict() for name in _SAVED}

    def restore(self, state: dict[str, Any]) -> None:
        for name in _SAVED:
            getattr(self, name).load_state_dict(state[name])

    def sheet(self) -> Image.Image:
        return draw_sheet(self.encoder, self.frozen, self.renders, self.fabric)

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        about = dict(card)
        if card["pictures"] >= self.settings.run.pictures:
            about["measured"] = measure(self.encoder, self.frozen, self.renders)
        file = folder / "encoder.safetensors"
        save_weights(file, self.encoder, "encoder", about)
        return [file]


_SAVED = ("encoder", "critic", "descent", "critic_descent")
