# SPDX-License-Identifier: GPL-3.0-or-later
"""When a face is left out of a data set. The defaults were chosen by looking; docs/datasets.md shows at what."""

from __future__ import annotations

from enum import Enum

from attrs import frozen


class Reason(str, Enum):
    """Why a picture, or a face in one, is left out; in the order in which they are looked for."""

    UNREADABLE = "unreadable"
    NO_FACE = "no face"
    TOO_CLOSE = "faces too close"
    CUT_OFF = "cut off"
    TOO_SMALL = "too small"
    TURNED_AWAY = "turned away"
    BLURRED = "blurred"
    DUPLICATE = "near-duplicate"


@frozen
class Thresholds:
    """Limits of what is kept.

    least_side: side of the portrait's square in the picture, in portrait pixels (1: nothing is enlarged).
    most_blur: perceptual blur (Crété-Roffet et al. 2007) 0…1 of the inner face at 256 pixels a portrait.
    most_yaw: degrees that the head is turned to either side.
    most_outside: share of the portrait's square that lies outside the picture.
    most_shared: share of another face's landmarks that lie inside the portrait's square.
    least_distance: bits of 256 in which the perceptual hashes of two portraits must differ.
    """

    # A quarter is what a Lanczos enlargement still carries without showing it.
    least_side: float = 0.75
    # The inner face of a sharp portrait has 0.72–0.88, blurred by a Gaussian of 1 pixel 0.87–0.93, of 1.5 pixels
    # 0.92–0.95 (5th and 95th percentiles of the paired heads in both looks).
    most_blur: float = 0.925
    # Where the built-in landmark network's own figure leaves the truth: heads turned by 31°, 46° and 56° measure 26°,
    # 33° and 36°, and the portraits of the latter two are placed visibly wrong.
    most_yaw: float = 32.0
    # Hair cropped by the picture's edge; FFHQ's own padding makes up for so much without being seen in the face.
    most_outside: float = 0.15
    # A neighbour's ear at the edge, but not a neighbour's eye.
    most_shared: float = 0.1
    # Recompressed or rescaled copies differ in at most 10 bits, brighter ones in up to 30, other pictures in 34 or more
    # (420 000 couples of the paired heads).
    least_distance: int = 30
