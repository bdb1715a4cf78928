# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures of single pictures against their truth. Pictures are (R, R, 3) uint8 sRGB display values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from lifelike.networks.inner_face import INNER_FACE

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114])


def psnr(picture: Picture, truth: Picture, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB over the pixels where the mask is set; infinite for equal pixels.

    Raises:
        ValueError: for an empty mask.
    """
    inside = mask > 0
    if not inside.any():
        raise ValueError("the mask is empty")
    difference = picture[inside].astype(np.float64) - truth[inside]
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def match_colours(picture: Picture, truth: Picture, mask: Mask) -> Picture:
    """Per-channel colour transfer: the mean and spread of each channel inside the mask become those of the truth.

    A baseline with an unfair advantage, as no user has the truth: whatever it gains, no network is needed for.
    """
    inside = mask > 0
    values = picture.astype(np.float64)
    own, wanted = values[inside], truth[inside].astype(np.float64)
    gain = wanted.std(0) / np.maximum(own.std(0), 1e-6)
    return np.clip(np.rint((values - own.mean(0)) * gain + wanted.mean(0)), 0, 255).astype(np.uint8)


def fine_detail(picture: Picture) -> float:
    """Spectral energy of the inner face's luma above a quarter of the Nyquist frequency, per pixel.

    The mean is taken off and a Hann window put on, so that borders add nothing.
    """
    size = picture.shape[0]
    x0, y0, x1, y1 = (round(side * size) for side in INNER_FACE)
    luma = picture[y0:y1, x0:x1].astype(np.float64) @ _LUMA
    window = np.hanning(luma.shape[0])[:, None] * np.hanning(luma.shape[1])[None]
    spectrum = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2
    rows, columns = np.fft.fftfreq(luma.shape[0])[:, None], np.fft.fftfreq(luma.shape[1])[None]
    # Nyquist is half a cycle a pixel.
    high = np.hypot(rows, columns) > 0.25 * 0.5
    return float(spectrum[high].sum() / luma.size**2)
