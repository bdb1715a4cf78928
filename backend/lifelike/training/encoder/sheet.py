# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample sheet of an encoder training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lifelike.networks.encoder import Encoder
from lifelike.training.encoder.renders import Renders
from lifelike.training.encoder.terms import Frozen
from lifelike.training.picture_grid import picture_grid

if TYPE_CHECKING:
    from lightning_fabric import Fabric

COLUMNS = 6
TRUNCATION = 0.7  # StyleGAN's usual one for figures (arXiv 1812.04948, appendix B)


@torch.no_grad()
def draw_sheet(encoder: Encoder, frozen: Frozen, renders: Renders | None, fabric: Fabric) -> Image.Image:
    """Rows: fixed renders of reserved people, G_render(E(x)), G_photo(E(x)), the photo looks; then pictures of fixed
    drawn latents and their G_render(E(x)). What there is none of is left out."""
    rows: list[Tensor] = []
    if renders is not None:
        known = renders.reserved if len(renders.reserved) else renders.training
        chosen = known[np.linspace(0, len(known) - 1, COLUMNS).round().astype(int)]
        x = renders.show(chosen)
        rows += [x, *_inverted(x, encoder, frozen, fabric)]
        if frozen.photo is not None and (renders.twin[chosen] >= 0).all():
            rows.append(renders.show(renders.twin[chosen]))
    z = torch.randn(COLUMNS, frozen.render.settings.z_dim, generator=torch.Generator().manual_seed(0))
    drawn = frozen.render(z.to(fabric.device), TRUNCATION)
    rows += [drawn, _inverted(drawn, encoder, frozen, fabric)[0]]
    return picture_grid(torch.cat([row.float().cpu() for row in rows]), COLUMNS)


def _inverted(x: Tensor, encoder: Encoder, frozen: Frozen, fabric: Fabric) -> list[Tensor]:
    """G_render(E(x)) and, where there is one, G_photo(E(x))."""
    with fabric.autocast():
        latent = encoder(x.to(fabric.device))
        pair = [network for network in (frozen.render, frozen.photo) if network is not None]
        return [network.synthesis(latent.ws, features=latent.features) for network in pair]
