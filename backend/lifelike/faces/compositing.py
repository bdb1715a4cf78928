# SPDX-License-Identifier: GPL-3.0-or-later
"""Putting a changed portrait back into its frame so that no seam shows and no detail is lost."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from scipy.signal import fftconvolve

from lifelike.faces.alignment import put_back, take_portrait
from lifelike.faces.outline import face_mask, mask_box, soft_mask
from lifelike_protocol.messages import Array

__all__ = ["composite", "face_mask", "mask_box", "soft_mask"]

SEAM_RESOLUTION = 64
"""Pixels a side of the portrait in which the seam's colours are matched."""
FADE = 0.08
"""Standard deviation of the fade away from the edge, in portrait sides."""
TRUSTED_CHANGE = 0.15
"""A change at the seam much larger than this is another surface, not another colour of the same one."""


def composite(display: Array, change: Array, transform: ArrayLike, mask: Array, *, match_seam: bool = True) -> Array:
    """Adds a change made to one face's portrait to the frame, under a soft mask.

    The change is added, not the portrait pasted: detail of the frame finer than the portrait stays.
    With `match_seam` it is freed of the colour difference it would show along the mask's edge.

    Args:
        display: (H, W, 3) float32, display-referred, 0…1.
        change: (R, R, 3) float32, the portrait afterwards minus before.
        transform: (3, 3), portrait pixels to frame pixels, as `alignment.align` gives it.
        mask: (H, W) uint8, as `face_mask` or `soft_mask` give it.
        match_seam: False adds the change as it is.

    Returns:
        (H, W, 3) float32, a new array; where the mask is 0 bit for bit the frame, elsewhere within 0…1.
    """
    result = display.copy()
    box = mask_box(mask)
    if box == (0, 0, 0, 0):
        return result
    if match_seam:
        change = change - _enlarged(seam_colour(change, transform, mask), change.shape[0])
    values, (x0, y0, x1, y1) = put_back(change, transform, display.shape, within=box)
    weight = mask[y0:y1, x0:x1, None]
    region = result[y0:y1, x0:x1]
    values *= weight * np.float32(1 / 255)
    values += region
    np.clip(values, 0, 1, out=values)
    np.copyto(region, values, where=weight > 0)
    return result


def seam_colour(change: Array, transform: ArrayLike, mask: Array) -> Array:
    """The change's colour along the mask's edge, carried smoothly into the face.

    Seamless cloning (Pérez et al. 2003; interpolated as in Farbman et al. 2011) would carry all of it to the
    middle, and with it the shading that a better look gives the face's sides. Here only a colour cast that edge
    and middle share goes everywhere; the rest fades out away from the edge.

    Args:
        change: (R, R, 3) float32.
        transform: (3, 3), portrait pixels to frame pixels.
        mask: (H, W) uint8.

    Returns:
        (64, 64, 3) float32; 0 where the mask has no edge in the portrait.
    """
    small = _reduced(change)
    ratio = change.shape[0] / SEAM_RESOLUTION
    to_frame = np.asarray(transform, np.float64) @ np.diag([ratio, ratio, 1.0])
    inside = np.clip(take_portrait(mask, to_frame, SEAM_RESOLUTION, blend_beyond=False) / 255, 0, 1)
    # The edge is where the mask is neither full nor empty; hair or a background that changed does not count.
    another_surface = np.square(np.abs(small).max(axis=2) / TRUSTED_CHANGE)
    trust = (4 * inside * (1 - inside) * np.exp(-another_surface))[:, :, None].astype(np.float32)
    spread = fftconvolve(
        np.concatenate([trust * small, trust], axis=2), _NEARNESS[:, :, None], mode="same", axes=(0, 1)
    )
    # Little trust in all means little to match.
    along_seam = spread[:, :, :3] / (spread[:, :, 3:] + 1e-4)
    core = np.clip(2 * gaussian_filter(inside, FADE * SEAM_RESOLUTION, mode="nearest") - 1, 0, 1)
    middle = small[core >= 0.5 * core.max()]
    cast = _shared((along_seam * trust).sum(axis=(0, 1)) / (trust.sum() + 1e-4), np.median(middle, axis=0))
    colour: Array = (cast + (1 - core[:, :, None]) * (along_seam - cast)).astype(np.float32)
    return colour


def _shared(a: Array, b: Array) -> Array:
    """What two colour differences have in common, channel by channel: the smaller, or 0 where their signs differ."""
    return np.where(a * b > 0, np.sign(a) * np.minimum(np.abs(a), np.abs(b)), 0.0)


def _nearness() -> Array:
    """The weight 1/d³ of one pixel's colour at another's place, d pixels away."""
    position = np.arange(-SEAM_RESOLUTION + 1, SEAM_RESOLUTION, dtype=np.float32)
    squared = position[:, None] ** 2 + position[None, :] ** 2
    nearness: Array = (squared + 1.0) ** -1.5
    return nearness


_NEARNESS = _nearness()


def _reduced(change: Array) -> Array:
    """(R, R, 3) → (64, 64, 3), each pixel a mean."""
    planes = torch.from_numpy(np.ascontiguousarray(change)).permute(2, 0, 1)[None]
    return F.adaptive_avg_pool2d(planes, SEAM_RESOLUTION)[0].permute(1, 2, 0).numpy()


def _enlarged(colour: Array, size: int) -> Array:
    """(64, 64, 3) → (size, size, 3), smooth."""
    planes = torch.from_numpy(np.ascontiguousarray(colour)).permute(2, 0, 1)[None]
    return F.interpolate(planes, size=(size, size), mode="bilinear", align_corners=False)[0].permute(1, 2, 0).numpy()
