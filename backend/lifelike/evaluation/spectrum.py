# SPDX-License-Identifier: GPL-3.0-or-later
"""How sharp a picture is: the energy of its spectrum by frequency. Pictures are (R, R, 3) uint8 sRGB display values.

That a transfer may win PSNR by blurring is the reason for looking here; that noise counts as detail is the reason for
looking at the whole curve, and at the pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lifelike.networks.inner_face import INNER_FACE

Picture = NDArray[np.uint8]

_LUMA = np.array([0.299, 0.587, 0.114])

FINE = 0.25
"""Share of the Nyquist frequency above which detail counts as fine."""


def power_spectrum(picture: Picture) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Energy of the inner face's luma at every frequency, and each frequency's distance from zero.

    The mean is taken off and a Hann window put on, so that borders add nothing.

    Returns:
        energy: (S, S), per pixel. frequency: (S, S) in shares of Nyquist (half a cycle a pixel).
    """
    size = picture.shape[0]
    x0, y0, x1, y1 = (round(side * size) for side in INNER_FACE)
    luma = picture[y0:y1, x0:x1].astype(np.float64) @ _LUMA
    window = np.hanning(luma.shape[0])[:, None] * np.hanning(luma.shape[1])[None]
    energy = np.abs(np.fft.fft2((luma - luma.mean()) * window)) ** 2 / luma.size**2
    rows, columns = np.fft.fftfreq(luma.shape[0])[:, None], np.fft.fftfreq(luma.shape[1])[None]
    return energy, np.hypot(rows, columns) / 0.5


def fine_detail(picture: Picture) -> float:
    """Spectral energy above a quarter of the Nyquist frequency, per pixel."""
    energy, frequency = power_spectrum(picture)
    return float(energy[frequency > FINE].sum())


def ring_sums(energy: NDArray[np.float64], frequency: NDArray[np.float64], rings: int) -> NDArray[np.float64]:
    """(rings,) energy in rings of equal width from 0 to Nyquist; the corners beyond are left out."""
    ring = np.floor(frequency * rings).astype(np.int64).ravel()
    inside = ring < rings
    return np.bincount(ring[inside], energy.ravel()[inside], rings).astype(np.float64)
