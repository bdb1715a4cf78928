# SPDX-License-Identifier: GPL-3.0-or-later
"""`lifelike train unet`: the render in, its photo look out, nothing but an L1 loss between them.

Bundles are measured beside it when it was trained for the same time on the same pairs, with the same jitter. L1 alone
gains PSNR and loses detail, which is why the evaluation shows sharpness too.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from lifelike.datasets.identities import identity_range
from lifelike.datasets.pairs import Pairs, load_pairs
from lifelike.evaluation.judges import to_pictures, to_portraits
from lifelike.evaluation.unet.settings import UnetSettings
from lifelike.networks.unet import UNet
from lifelike.networks.weights import save_weights
from lifelike.training.average import average_of, update_average
from lifelike.training.descent import Descent, place
from lifelike.training.learning_rate import warm_cosine
from lifelike.training.pair.augmentation import paired_jitter
from lifelike.training.processes import part_size
from lifelike.training.task import Moment, Task
from lifelike_protocol.errors import ErrorCode, LifelikeError

if TYPE_CHECKING:
    from lightning_fabric import Fabric

SHEET_ROWS = 6


class UnetTask(Task):
    """One U-Net, Adam, the L1 loss and an average of the weights."""

    kind = "unet"
    settings_class = UnetSettings

    def __init__(self, settings: UnetSettings, fabric: Fabric) -> None:
        self.settings, self.fabric = settings, fabric
        _check_size(settings)
        self.pairs, shown = _data(settings)
        self.shown = shown.select(np.linspace(0, len(shown) - 1, SHEET_ROWS).astype(np.int64))
        self.network = place(UNet(settings.network), fabric)
        self.average = average_of(self.network)
        self.descent = Descent(fabric, torch.optim.Adam(self.network.parameters(), lr=settings.rate), "U-Net")

    def step(self, moment: Moment) -> dict[str, float | Tensor]:
        run = self.settings.run
        self.descent.rate(warm_cosine(moment.fraction, 1.0))
        self.descent.zero()
        total: Tensor | float = 0.0
        for _ in range(run.accumulate):
            render, photo = self._draw(part_size(run, self.fabric))
            with self.fabric.autocast():
                made = self.network(render)
            loss = F.l1_loss(made, photo) / run.accumulate
            self.descent.backward(loss)
            total = total + loss.detach()
        norm = self.descent.step()
        update_average(self.average, self.network, moment.pictures, run.batch, self.settings.average)
        return {"l1": total, "gradient_norm": norm}

    def _draw(self, count: int) -> tuple[Tensor, Tensor]:
        """Renders and their photo looks [N3RR] −1…1, jittered alike."""
        chosen = torch.randint(len(self.pairs), (count,)).numpy()
        looks = [to_portraits(look[chosen]).to(self.fabric.device) for look in (self.pairs.render, self.pairs.photo)]
        render, photo = paired_jitter(looks)
        return render, photo

    def state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "descent": self.descent.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        self.descent.load_state_dict(state["descent"])

    @torch.no_grad()
    def sheet(self) -> Image.Image:
        """Rows of render, U-Net, photo look: people never trained on, where the data has some."""
        made = to_pictures(self.average(to_portraits(self.shown.render).to(self.fabric.device)))
        columns = [np.concatenate(list(look)) for look in (self.shown.render, made, self.shown.photo)]
        return Image.fromarray(np.concatenate(columns, axis=1))

    def export(self, folder: Path, card: dict[str, Any]) -> list[Path]:
        file = folder / "unet.safetensors"
        save_weights(file, self.average, "unet", card, half=True)
        return [file]


def _check_size(settings: UnetSettings) -> None:
    network = settings.network
    multiple = network.patch * 2 ** (network.levels - 1)
    if network.resolution % multiple or network.resolution < multiple:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"A U-Net of {network.levels} levels cannot work at {network.resolution} pixels.",
            f"Set network.resolution to a multiple of {multiple}, or lower network.levels.",
        )
    if any(width % 8 for width in network.widths):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The widths {network.widths} cannot be normalised in groups.",
            "Set network.width and network.width_max to multiples of 8.",
        )


def _data(settings: UnetSettings) -> tuple[Pairs, Pairs]:
    """(what is trained on, what stands in the sheets)."""
    data = settings.data
    if not data.pairs:
        what = "The U-Net needs at least one data set with both looks."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, 'Name its folder: --set data.pairs=["DIR"].')
    reserved = identity_range(data.reserved)
    folders = [Path(folder) for folder in data.pairs]
    pairs = load_pairs(folders, settings.network.resolution, Path(data.cache) if data.cache else None)
    training, held_out = pairs.training(reserved), pairs.reserved(reserved)
    if len(training) == 0:
        what = f"Every pair in {', '.join(data.pairs)} is of a reserved identity ({data.reserved})."
        raise LifelikeError(ErrorCode.INVALID_SETTING, what, "Change data.reserved, or add data sets.")
    return training, held_out if len(held_out) else training
