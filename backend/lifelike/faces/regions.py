# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the parts of a face are in its portrait: soft masks from the 68 landmarks."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from attrs import frozen
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter
from torch import Tensor

from lifelike.faces.outline import face_outline
from lifelike_protocol.messages import Array

RESOLUTION = 256
"""Pixels a side in which masks are drawn: an iris is about 12 of them wide, and every edge is softer than one."""
FACE_EDGE = 0.02
"""Standard deviation of the blur of the face's outline, in portrait sides; that of the frame's mask is 0.03."""
FEATURE_EDGE = 0.008
"""The same of eyes and mouth."""
IRIS_RADIUS = 0.22
"""In widths of the eye from corner to corner: irises are 11.7 mm wide, the opening of the lids about 29 mm, and the
landmarks of the corners lie a little inside."""

_EYES = (slice(36, 42), slice(42, 48))
_LIPS = slice(48, 60)


@frozen
class Regions:
    """Masks of N portraits, each [N1RR] float32, 0…1.

    face: within the outline of jaw, temples and forehead. skin: the face without eyes and lips. irises: both.
    """

    face: Tensor
    skin: Tensor
    irises: Tensor


def face_regions(portrait: Array, landmarks: Array) -> Regions:
    """The regions of one portrait.

    Args:
        portrait: (R, R, 3) float32, 0…1; irises are looked for in it, since eyes look to the side.
        landmarks: (68, 2), portrait pixels.
    """
    side = portrait.shape[0]
    points = np.asarray(landmarks, np.float64) * (RESOLUTION / side)
    face = _blurred(_filled(face_outline(points)), FACE_EDGE)
    eyes = [_filled(points[eye]) for eye in _EYES]
    # Lids and lashes belong to the eye as far as colour goes.
    features = _blurred(np.maximum(_grown(eyes[0] + eyes[1], 4), _filled(points[_LIPS])), FEATURE_EDGE)
    luminance = _reduced(portrait).mean(axis=2)
    irises = [_iris(luminance, opening, points[eye]) for opening, eye in zip(eyes, _EYES, strict=True)]
    masks = np.stack([face, face * (1 - features), _blurred(np.maximum(*irises), FEATURE_EDGE / 2)])
    enlarged = F.interpolate(torch.from_numpy(masks)[None], size=(side, side), mode="bilinear", align_corners=False)
    return Regions(*(mask[None, None] for mask in enlarged[0]))


def _iris(luminance: Array, opening: Array, eye: Array) -> Array:
    """A disc within the opening of one eye, where that is darkest; empty where the eye is closed."""
    if opening.sum() < 1:
        return np.zeros_like(opening)
    lightest = luminance[opening > 0.5].max(initial=0.0)
    dark = opening * np.clip(lightest - luminance, 0, None) ** 2
    if dark.sum() <= 0:
        dark = opening
    rows, columns = np.mgrid[:RESOLUTION, :RESOLUTION] + 0.5
    x, y = (columns * dark).sum() / dark.sum(), (rows * dark).sum() / dark.sum()
    radius = IRIS_RADIUS * float(np.hypot(*(eye[3] - eye[0])))
    disc: Array = np.clip(radius + 0.5 - np.hypot(columns - x, rows - y), 0, 1) * opening
    return disc.astype(np.float32)


def _filled(points: Array) -> Array:
    """(RESOLUTION, RESOLUTION) float32, 1 within a polygon of (N, 2) points."""
    finer = 4
    drawing = Image.new("L", (RESOLUTION * finer, RESOLUTION * finer))
    ImageDraw.Draw(drawing).polygon([(x * finer - 0.5, y * finer - 0.5) for x, y in points], fill=255)
    return np.asarray(drawing.reduce(finer), np.float32) / 255


def _grown(mask: Array, pixels: int) -> Array:
    planes = torch.from_numpy(mask)[None, None]
    return F.max_pool2d(planes, 2 * pixels + 1, stride=1, padding=pixels)[0, 0].numpy()


def _blurred(mask: Array, share: float) -> Array:
    blurred: Array = gaussian_filter(mask, share * RESOLUTION, mode="nearest")
    return np.clip(blurred, 0, 1)


def _reduced(portrait: Array) -> Array:
    planes = torch.from_numpy(np.ascontiguousarray(portrait)).permute(2, 0, 1)[None]
    return F.interpolate(planes, (RESOLUTION, RESOLUTION), mode="bilinear", antialias=True)[0].permute(1, 2, 0).numpy()
