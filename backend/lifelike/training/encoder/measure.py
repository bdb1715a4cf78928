# SPDX-License-Identifier: GPL-3.0-or-later
"""How well an encoder inverts: renders of reserved people, and pictures whose latent is known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lifelike.networks.encoder import Encoder
from lifelike.training.encoder.renders import Renders
from lifelike.training.encoder.terms import Frozen

MOST = 256
"""Renders looked at, evenly chosen; an estimate to within a tenth of a decibel."""
BATCH = 8


@torch.no_grad()
def measure(encoder: Encoder, frozen: Frozen, renders: Renders | None) -> dict[str, float]:
    """``latent_error``: squared error of codes of 32 drawn pictures, in variances of w (1: no better than the mean w).
    On reserved renders: ``psnr`` of G_render(E(x)) to x over the whole picture (dB, mean), ``similarity`` by the
    identity network where there is one, and ``photo_psnr`` of G_photo(E(x)) to the photo look where there is one.
    """
    measured = {"latent_error": _latent_error(encoder, frozen)}
    if renders is None or len(renders.reserved) == 0:
        return measured
    spread = np.linspace(0, len(renders.reserved) - 1, min(MOST, len(renders.reserved))).round().astype(int)
    found: dict[str, list[Tensor]] = {"psnr": [], "similarity": [], "photo_psnr": []}
    for indices in np.array_split(renders.reserved[spread], -(-len(spread) // BATCH)):
        x = renders.show(indices).to(encoder.w_avg.device)
        latent = encoder(x)
        made = frozen.render.synthesis(latent.ws, features=latent.features)
        found["psnr"].append(_psnr(made, x))
        if frozen.identity is not None:
            found["similarity"].append(frozen.identity.similarity(made, x))
        twins = renders.twin[indices]
        if frozen.photo is not None and (twins >= 0).all():
            photo = frozen.photo.synthesis(latent.ws, features=latent.features)
            found["photo_psnr"].append(_psnr(photo, renders.show(twins).to(photo.device)))
    measured["pictures"] = float(len(spread))
    return measured | {name: float(torch.cat(parts).mean()) for name, parts in found.items() if parts}


def _latent_error(encoder: Encoder, frozen: Frozen) -> float:
    device = encoder.w_avg.device
    z = torch.randn(32, frozen.render.settings.z_dim, generator=torch.Generator().manual_seed(1)).to(device)
    errors = []
    for part in frozen.render.mapping(z).split(BATCH):
        ws = encoder(frozen.render.synthesis(frozen.render.w_plus(part))).ws
        errors.append((ws - part[:, None]).square().mean((1, 2)))
    return float(torch.cat(errors).mean()) / frozen.spread


def _psnr(pictures: Tensor, truth: Tensor) -> Tensor:
    """[N] dB over display values."""
    error = ((pictures.clamp(-1, 1) - truth) / 2).square().mean((1, 2, 3))
    return -10 * error.clamp_min(1e-10).log10()
