# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a frame's own pixels and the display-referred colours the generators know."""

from __future__ import annotations

import numpy as np

from lifelike.imaging.views import View, view_of
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array, Encoding

KEPT_WITHIN = 0.06
"""How far (of 1) a displayed colour may change until what its pixel held beyond the display is gone."""
BRIGHT = 0.18
"""Above this (middle grey), what a pixel holds beyond the display is a factor, as light is; below, a difference."""
HALF_MAX = 65504.0
"""The largest half-precision number, which stands for infinity."""


def to_display(pixels: Array, encoding: Encoding) -> Array:
    """A frame as an sRGB display shows it.

    Args:
        pixels: (H, W, 3) or (H, W, 4), uint8, float16 or float32; alpha is ignored, not applied.
        encoding: "display" pixels are taken as they are, "scene_linear" ones go through their view.

    Returns:
        (H, W, 3) float32, 0…1; what is not a number becomes 0.

    Raises:
        LifelikeError: INVALID_SETTING for an unknown kind, view, look or configuration.
    """
    view = _view(encoding)
    colours = _as_float(pixels).reshape(-1, 3)
    display: Array = np.clip(colours if view is None else view.shown(colours), 0, 1)
    return display.reshape(*pixels.shape[:2], 3)


def from_display(changed: Array, original_display: Array, original_pixels: Array, encoding: Encoding) -> Array:
    """A changed display picture in the frame's own dtype and encoding.

    Pixels that did not change come back bit for bit, alpha always. A changed pixel keeps what it held beyond the
    display's range (highlights above white, colours out of gamut) as far as its displayed colour stayed near.

    Args:
        changed: (H, W, 3) float32, 0…1.
        original_display: (H, W, 3) float32, what `to_display` made of the pixels.
        original_pixels: (H, W, C) uint8, float16 or float32.
        encoding: of the original pixels.

    Returns:
        (H, W, C) in the original's dtype, a new array.

    Raises:
        LifelikeError: as `to_display`.
    """
    view = _view(encoding)
    result = original_pixels.copy()
    differs = changed != original_display
    where = differs[:, :, 0] | differs[:, :, 1] | differs[:, :, 2]
    if not where.any():
        return result
    after, before = changed[where], original_display[where]
    if original_pixels.dtype == np.uint8:
        result[where, :3] = np.clip(np.rint(after * 255), 0, 255)
        return result
    held = np.nan_to_num(original_pixels[where][:, :3].astype(np.float32), posinf=HALF_MAX, neginf=-HALF_MAX)
    if view is None:
        values = _with_beyond(after, before, held, _kept(after, before))
    else:
        undone = view.undone(np.concatenate([after, before]))
        values = _with_beyond(undone[: len(after)], undone[len(after) :], held, _kept(after, before))
    limits = np.finfo(original_pixels.dtype)
    result[where, :3] = np.clip(values, limits.min, limits.max)
    return result


def _view(encoding: Encoding) -> View | None:
    """None for pixels that are display-referred already."""
    if encoding.kind == "display":
        return None
    if encoding.kind == "scene_linear":
        return view_of(encoding)
    raise LifelikeError(
        ErrorCode.INVALID_SETTING,
        f"The colour encoding “{encoding.kind}” is unknown.",
        "Send “display” or “scene_linear” pixels.",
    )


def _as_float(pixels: Array) -> Array:
    """(H, W, 3) float32; bytes become 0…1."""
    colours = np.ascontiguousarray(pixels[:, :, :3])
    if colours.dtype == np.uint8:
        return colours * np.float32(1 / 255)
    colours = colours.astype(np.float32)
    # A sum finds what is not finite in a fraction of the time that replacing it takes.
    return colours if np.isfinite(colours.sum()) else np.nan_to_num(colours, posinf=HALF_MAX, neginf=-HALF_MAX)


def _kept(after: Array, before: Array) -> Array:
    """(N, 1): 1 where the displayed colour stayed, 0 where it changed by `KEPT_WITHIN` or more."""
    kept: Array = np.clip(1 - np.abs(after - before).max(axis=1, keepdims=True) / KEPT_WITHIN, 0, 1)
    return kept


def _with_beyond(values: Array, shown: Array, held: Array, kept: Array) -> Array:
    """New values with as much of the difference between what was shown and what was held as is kept."""
    bright = (values > BRIGHT) & (shown > BRIGHT) & (held > BRIGHT)
    factor = np.where(bright, held / np.where(bright, shown, 1), 1) ** kept
    combined: Array = np.where(bright, values * factor, values + kept * (held - shown))
    return combined
