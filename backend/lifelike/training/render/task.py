# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tunes a copy of the photo generator on renders, so that one latent shows one person in both looks.

Stated (arXiv 2310.04194): StyleGAN2 trained on photographs is fine-tuned on rendered portraits, and the training keeps
geometric and colour features of identity. Reconstructed: the mapping network is frozen and shared, and so is the noise,
which therefore is the stored one in training too; the terms and their weights (`terms.py`, `settings.py`).
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import torch
from attrs import evolve
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor

from lifelike.datasets.dataset import open_dataset
from lifelike.networks.stylegan2 import Discriminator, Generator
from lifelike.networks.weights import save_weights
from lifelike.training.adversarial import AdversarialTask, Values
from lifelike.training.augmentation.ada import augment
from lifelike.training.descent import place
from lifelike.training.face_prior import face_prior
from lifelike.training.gradient_balance import GradientBalance, gradient_norm
from lifelike.training.losses.adversarial import generator_adversarial
from lifelike.training.networks import load_discriminator, load_encoder, load_generator, load_identity
from lifelike.training.picture_grid import picture_grid
from lifelike.training.portraits import Portraits, joined, read_portraits
from lifelike.training.random_pictures import signed
from lifelike.training.render.freezing import check_freezing, freeze_discriminator, freeze_generator, learning
from lifelike.training.render.paired import PairedTerm, read_pairs
from lifelike.training.render.settings import RenderSettings
from lifelike.training.render.terms import ParentTerms, check_terms
from lifelike.training.task import Moment
from lifelike_protocol.errors import ErrorCode, LifelikeError

SHEET_PAIRS, SHEET_ROWS = 4, 4
"""Fixed latents as parent beside copy; one row of renders stands above them."""
SHEET_TRUNCATION = 0.7  # StyleGAN's usual one for figures (arXiv 1812.04948, appendix B)


class RenderTask(AdversarialTask):
    """The parent (frozen), its copy, and the terms between them."""

    kind = "render"
    settings_class = RenderSettings
    noise = "const"  # the parent's and the copy's pictures are compared, so their noise is the same

    def __init__(self, settings: RenderSettings, fabric: Fabric) -> None:
        self.settings = settings
        if not settings.start:
            what = "No photo generator is named to start from."
            raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name one: --set start=RUN, a file or a bundle.")
        parent = load_generator(settings.start, "photo").eval().requires_grad_(False)
        sizes = parent.settings
        check_freezing(settings.freezing, sizes.resolutions)
        check_terms(settings.terms, settings.balance, sizes.resolutions)
        embedder = load_identity(settings.identity).to(fabric.device) if settings.identity else None
        discriminator = starting_discriminator(settings, parent)
        portraits = read_renders(settings, sizes.resolution)
        region = face_prior(sizes.resolution).to(fabric.device)
        self.paired = paired_term(settings, parent, region, fabric) if settings.encoder else None
        child = copy.deepcopy(parent)
        if settings.freezing.mapping:
            child.mapping = parent.mapping
        super().__init__(settings, fabric, (child, discriminator), portraits.pictures)
        self.parent = parent
        place(parent, fabric)
        self.terms = ParentTerms(settings.terms, sizes.resolutions, region, embedder)
        balance = settings.balance
        self.balance = GradientBalance(balance.terms, balance.low, balance.high, balance.memory)

    # -- one update -------------------------------------------------------------------------------------

    def free_generator(self, moment: Moment) -> None:
        freeze_generator(self.generator, self.settings.freezing, moment.fraction)

    def free_discriminator(self, moment: Moment) -> None:
        freeze_discriminator(self.discriminator, self.settings.freezing, moment.fraction)

    def generator_loss(self, moment: Moment, first: bool, values: Values) -> tuple[Tensor, Tensor]:
        """The adversarial term and those to the parent, weighed by hand and by the balance."""
        z, second = self.draw_z(self.part), self.draw_cuts(self.part)
        shown = self.terms.show(self.generator.synthesis, self.mixed(self.generator.mapping, z, second))
        logits = self.judge(augment(shown.picture, self.strength.p))
        found = {"adversarial": generator_adversarial(logits)}
        if self.terms.on:
            with torch.no_grad():
                parent = self.terms.show(self.parent.synthesis, self.mixed(self.parent.mapping, z, second))
            found |= self.terms.values(shown, parent)
        if self.paired is not None and self.settings.terms.paired > 0:
            found["paired"] = self.paired.value(self.generator.synthesis, max(self.part // 2, 1))
        weights = {name: getattr(self.settings.terms, name) for name in found}
        if first and self.is_measured(moment.step):
            self.measure(found, weights, values)
        weights = {name: weight * self.balance.factor(name) for name, weight in weights.items()}
        self.note(values, found)
        values |= {f"weight_{name}": weights[name] for name in self.balance.balanced if name in weights}
        if "identity" in found:
            self.note(values, {"similarity": 1 - found["identity"]})
        return shown.picture, torch.stack([weights[name] * term for name, term in found.items()]).sum()

    def is_measured(self, step: int) -> bool:
        """Whether gradients are measured: each `balance.every` updates, and oftener at first.

        Not at the very first update, where copy and parent make the same pictures and the terms say nothing.
        """
        every = self.settings.balance.every
        early = step < every and step & (step - 1) == 0
        return every > 0 and step > 0 and (early or step % every == 0)

    def measure(self, terms: dict[str, Tensor], weights: dict[str, float], values: Values) -> None:
        """Each term's gradient with respect to all that learns, and what follows for the weights."""
        places = learning(self.generator)
        norms = torch.stack([gradient_norm(term, places) for term in terms.values()])
        mean: Any = self.fabric.all_reduce(norms, reduce_op="mean") if self.fabric.world_size > 1 else norms
        measured = dict(zip(terms, mean.tolist(), strict=True))
        self.balance.update(measured, weights, "adversarial")
        values |= {f"norm_{name}": norm for name, norm in measured.items()}

    # -- the run folder ---------------------------------------------------------------------------------

    def stateful(self) -> dict[str, Any]:
        """What has a state_dict."""
        return {**super().stateful(), "balance": self.balance}

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """A row of renders, then fixed latents: the parent's picture and, to its right, the averaged copy's."""
        columns = 2 * SHEET_PAIRS
        spread = torch.linspace(0, len(self.pictures.pixels) - 1, columns).long().numpy()
        rows = [signed(torch.from_numpy(self.pictures.pixels[spread]))]
        seeded = torch.Generator().manual_seed(0)
        for _ in range(SHEET_ROWS):
            z = torch.randn(SHEET_PAIRS, self.parent.settings.z_dim, generator=seeded).to(self.fabric.device)
            with self.fabric.autocast():
                made = [network(z, SHEET_TRUNCATION).float().cpu() for network in (self.parent, self.average)]
            rows.append(torch.stack(made, 1).flatten(0, 1))
        return picture_grid(torch.cat(rows), columns)

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        """``render.safetensors`` (the averaged copy) and ``discriminator.safetensors``."""
        files = [folder / "render.safetensors", folder / "discriminator.safetensors"]
        save_weights(files[0], self.average, "generator", card)
        save_weights(files[1], self.discriminator, "discriminator", card)
        return files


def starting_discriminator(settings: RenderSettings, parent: Generator) -> Discriminator:
    """The one that is named, else the start's own, else a fresh one of the parent's widths.

    Raises:
        LifelikeError: as `load_discriminator`, for the one that is named.
    """
    if settings.discriminator:
        return load_discriminator(settings.discriminator, parent.settings.resolution)
    if (Path(settings.start).expanduser() / "discriminator.safetensors").exists():
        return load_discriminator(settings.start, parent.settings.resolution)
    return Discriminator(parent.settings)


def read_renders(settings: RenderSettings, resolution: int) -> Portraits:
    """The renders to learn from, without reserved people; of a data set that states no looks, all its pictures.

    Raises:
        LifelikeError: INVALID_SETTING where none is left; otherwise as `read_portraits`.
    """
    data = settings.data
    parts = [evolve(data, folders=(folder,)) for folder in data.folders] or [data]  # no folder: refused below
    portraits = joined([read_portraits(part, resolution, _look_in(part.folders, settings.look)) for part in parts])
    kept = portraits.select(~portraits.held_out(settings.data.reserved))
    if not len(kept):
        what = f"All {len(portraits)} pictures show people reserved by data.reserved."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name other folders, or change data.reserved.")
    return kept


def _look_in(folders: tuple[str, ...], look: str) -> str | None:
    """The look to ask these data sets for."""
    if look == "render" and not any(open_dataset(Path(folder)).of_look("render") for folder in folders):
        return ""
    return look or None


def paired_term(settings: RenderSettings, parent: Generator, region: Tensor, fabric: Fabric) -> PairedTerm:
    """The paired term of the settings' encoder.

    Raises:
        LifelikeError: INVALID_SETTING for an encoder of other sizes; otherwise as `load_encoder` and `read_pairs`.
    """
    sizes = parent.settings
    encoder = load_encoder(settings.encoder).eval().requires_grad_(False)
    found = (encoder.settings.num_ws, encoder.settings.w_dim)
    if found != (sizes.num_ws, sizes.w_dim):
        what = f"The encoder {settings.encoder} gives {found[0]} codes of {found[1]} numbers, and the generator takes "
        what += f"{sizes.num_ws} of {sizes.w_dim}."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Name an encoder that was trained for this generator.")
    place(encoder, fabric)
    render, photo = read_pairs(settings.data, sizes.resolution)
    return PairedTerm(render, photo, encoder, region, settings.mirror)
