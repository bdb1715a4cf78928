# SPDX-License-Identifier: GPL-3.0-or-later
"""What made-up frames are made of: portraits with their outlines, and things that are no face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lifelike.training.landmarks.scenes import HeadCutouts, head_outlines
from lifelike.training.portraits import Portraits
from lifelike_protocol.errors import ErrorCode, LifelikeError


def cut_out(portraits: Portraits) -> HeadCutouts:
    """Cut-outs of every portrait, all of which have landmarks."""
    return HeadCutouts.from_pictures(portraits.pictures, portraits.landmarks, outlines(portraits))


def outlines(portraits: Portraits) -> NDArray[np.uint8]:
    """What is head in each portrait: (N, R, R), 0…255.

    Renders stand before a flat backdrop, and their outline is their photo look's too. A photo without a render is
    taken whole, and so is a render whose backdrop is not flat.
    """
    found = np.full(portraits.pictures.shape[:3], 255, np.uint8)
    flat = portraits.look != "photo"
    found[flat] = head_outlines(portraits.pictures[flat])
    render_of = dict(zip(portraits.shot[flat].tolist(), np.flatnonzero(flat).tolist(), strict=True))
    for index in np.flatnonzero(~flat):
        render = render_of.get(int(portraits.shot[index]))
        if render is not None:
            found[index] = found[render]
    return found


def load_others(folder: Path, size: int = 128) -> HeadCutouts:
    """Pictures with alpha of things that are no face (``*.png``).

    Raises:
        LifelikeError: INVALID_FILE when there are none, or one is unreadable.
    """
    files = sorted(folder.glob("*.png"))
    if not files:
        what, remedy = f"There is no PNG in {folder}.", "Name a folder of PNGs, or leave scenes.others empty."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, remedy)
    return HeadCutouts.from_cutouts(np.stack([_cutout(file, size) for file in files]))


def _cutout(file: Path, size: int) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as opened:
            picture = opened.convert("RGBA").resize((size, size), Image.Resampling.LANCZOS)
    except (OSError, Image.DecompressionBombError) as error:
        what = f"The picture {file} cannot be read ({error})."
        raise LifelikeError(ErrorCode.INVALID_FILE, what, "Remove it, or save it again.") from error
    return np.asarray(picture)
