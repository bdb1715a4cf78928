# SPDX-License-Identifier: GPL-3.0-or-later
"""How near one picture is to another over a mask. Pictures are (R, R, 3) uint8 sRGB display values."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8]


def psnr(picture: Picture, truth: Picture, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB over the pixels where the mask is set; infinite for equal pixels.

    10 · log₁₀(255² / mean squared error), the mean over pixels and channels together.

    Raises:
        ValueError: for an empty mask.
    """
    inside = _inside(mask)
    difference = picture[inside].astype(np.float64) - truth[inside]
    error = float(np.mean(difference**2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def ssim(picture: Picture, truth: Picture, mask: Mask) -> float:
    """Structural similarity, averaged over the mask and the channels; 1 for equal pictures.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004, with its Gaussian
    window of 1.5 pixels, by scikit-image. The window reaches a few pixels beyond the mask.

    Raises:
        ValueError: for an empty mask.
    """
    from skimage.metrics import structural_similarity

    inside = _inside(mask)
    _, everywhere = structural_similarity(
        picture,
        truth,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    return float(everywhere[inside].mean())


def _inside(mask: Mask) -> NDArray[np.bool_]:
    inside = np.asarray(mask) > 0
    if not inside.any():
        raise ValueError("the mask is empty")
    return inside
