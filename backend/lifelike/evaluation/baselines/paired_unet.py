# SPDX-License-Identifier: GPL-3.0-or-later
"""The plain paired U-Net of `lifelike train unet`, as a baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cattrs
import torch

from lifelike.evaluation.judges import to_pictures, to_portraits
from lifelike.evaluation.material import Batch, Pictures
from lifelike.evaluation.report import Subject
from lifelike.networks.unet import UNet, UNetSettings
from lifelike.networks.weights import load_weights
from lifelike_protocol.errors import ErrorCode, LifelikeError

KEY = "unet"


class PairedUnet:
    """A trained U-Net.

    Args:
        source: the folder of a run, or its ``unet.safetensors``.
        resolution: of the pictures it will be given.

    Raises:
        LifelikeError: INVALID_FILE when there is none, INVALID_SETTING when it was trained at another resolution.
    """

    def __init__(self, source: Path, resolution: int, device: torch.device | str = "cpu") -> None:
        file = source / "unet.safetensors" if source.is_dir() else source
        settings, state, card = load_weights(file, "unet")
        try:
            sizes = cattrs.structure(settings, UNetSettings)
            self.network = UNet(sizes)
            self.network.load_state_dict(state)
        except (cattrs.BaseValidationError, RuntimeError, ValueError, TypeError) as error:
            what = f"The U-Net {file} does not fit its own settings ({type(error).__name__})."
            raise LifelikeError(ErrorCode.INVALID_FILE, what, "Train it again with `lifelike train unet`.") from error
        if sizes.resolution != resolution:
            raise LifelikeError(
                ErrorCode.INVALID_SETTING,
                f"The U-Net {file} was trained at {sizes.resolution} pixels, and the bundle has {resolution}.",
                "Train one at the bundle's resolution: --set network.resolution=…",
            )
        self.network.to(device).eval().requires_grad_(False)
        self.device = device
        self.subjects = (_subject(card),)

    @torch.inference_mode()
    def make(self, batch: Batch) -> dict[str, Pictures]:
        """Its pictures."""
        return {KEY: to_pictures(self.network(to_portraits(batch.inputs).to(self.device)))}


def _subject(card: dict[str, Any]) -> Subject:
    """Named with how long it was trained, without which no comparison can be judged."""
    pictures, seconds = card.get("pictures"), card.get("seconds")
    meaning = "A plain U-Net trained on the same pairs with nothing but an L1 loss"
    if not pictures or not seconds:
        return Subject(KEY, "paired U-Net", "baseline", f"{meaning}.")
    length = f"{pictures:,} pictures"
    return Subject(
        KEY, f"paired U-Net ({length})", "baseline", f"{meaning}, on {length} in {seconds / 60:.0f} minutes."
    )
