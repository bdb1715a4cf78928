# SPDX-License-Identifier: GPL-3.0-or-later
"""What inversion lost comes back from the input (reconstructed; the paper's teaser shows it lost).

A decode y = G_photo(w⁺) shows only what the latent holds. The rest is the residual r = x − G_render(w⁺), and adding all
of it is the difference method. Between the two, r is weighted by place and by frequency:

    what         where                              of the residual
    irises       discs in the openings of the eyes  their colour
    skin         the face without eyes and lips     colour and light in large areas
    background   outside the face's outline         everything
    accessories  where the residual stands out      everything

Grain, pores and catchlights in the face stay the decode's.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lifelike.faces.regions import Regions
from lifelike_protocol.messages import Restoration

SKIN_SCALE = 0.04
"""Standard deviation in portrait sides below which the skin's detail is the decode's: a tenth of a face."""
IRIS_SCALE = 0.012
"""The same for irises: a quarter of one, so that its colour and no reflection is taken."""
LOOKED_AT = 0.012
"""Standard deviation, in portrait sides, of the neighbourhood in which a residual stands out or does not."""
STANDS_OUT = 2.5
"""Times the face's median residual from which something counts as an accessory; at twice that it does fully."""
LEAST = 0.1
"""Of −1…1, a residual below which nothing stands out, however good the inversion."""


def needed(amount: Restoration) -> bool:
    """Whether anything is to come back."""
    return max(amount.iris, amount.skin, amount.background, amount.accessories) > 0


def restore(made: Tensor, residual: Tensor, regions: Regions, amount: Restoration) -> Tensor:
    """The decode with what the inversion lost.

    Args:
        made: [N3RR], −1…1, the decode.
        residual: [N3RR], the input minus the inversion.
        regions: of the same portraits.
        amount: of each, 0…1.

    Returns:
        [N3RR], not clipped.
    """
    face, skin, irises = (mask.to(made.device) for mask in (regions.face, regions.skin, regions.irises))
    everything = torch.maximum(amount.background * (1 - face), amount.accessories * standing_out(residual, face))
    colour = amount.skin * skin * smoothed(residual, skin, SKIN_SCALE)
    colour = colour + amount.iris * irises * smoothed(residual, irises, IRIS_SCALE)
    return made + everything * residual + (1 - everything) * colour


def smoothed(residual: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The residual's low frequencies as the mask sees them: nothing outside bleeds in.

    residual: [N3RR]; mask: [N1RR]; scale: standard deviation in sides → [N3RR]
    """
    sums = blurred(torch.cat([residual * mask, mask], 1), scale)
    return sums[:, :3] / (sums[:, 3:] + 1e-4)


def standing_out(residual: Tensor, face: Tensor) -> Tensor:
    """[N3RR] and the face's mask [N1RR] → [N1RR], 0…1: where far more was lost than elsewhere in the face.

    White that was lost in the face does not count: that is the shine of a render's skin more often than jewellery.
    """
    shine = face * residual.amin(1, keepdim=True).clamp(min=0)
    energy = blurred((residual - shine).square().mean(1, keepdim=True), LOOKED_AT).clamp(min=0).sqrt()
    within = [one[mask > 0.5] for one, mask in zip(energy, face, strict=True)]
    usual = torch.stack([one.median() if one.numel() else energy.new_tensor(0.0) for one in within])
    threshold = (STANDS_OUT * usual).clamp(min=LEAST)[:, None, None, None]
    share = (energy / threshold - 1).clamp(0, 1)
    return share.square() * (3 - 2 * share)


def blurred(picture: Tensor, scale: float) -> Tensor:
    """Gaussian blur by `scale` sides, on a coarser grid where that is enough. [NCRR] → [NCRR]"""
    side = picture.shape[-1]
    grid = min(side, round(3 / scale))
    small = F.interpolate(picture, (grid, grid), mode="bilinear", antialias=True) if grid < side else picture
    deviation = scale * grid
    reach = round(3 * deviation)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=picture.device) / deviation).square())
    kernel = (kernel / kernel.sum()).to(picture.dtype).expand(picture.shape[1], 1, -1)
    small = F.pad(small, (reach,) * 4, mode="replicate")
    small = F.conv2d(small, kernel[:, :, None, :], groups=picture.shape[1])
    small = F.conv2d(small, kernel[:, :, :, None], groups=picture.shape[1])
    return F.interpolate(small, (side, side), mode="bilinear", align_corners=False) if grid < side else small
