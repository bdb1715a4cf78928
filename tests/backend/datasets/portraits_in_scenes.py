# SPDX-License-Identifier: GPL-3.0-or-later
"""Loose pictures with a known thing wrong, made from the examples' portraits and laid into larger frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
FRAME = (320, 280)
PLACE = (32, 12)


def example(name: str) -> Image.Image:
    """256 × 256; the portrait's square is about 155 pixels a side."""
    with Image.open(EXAMPLES / f"{name}.png") as picture:
        return picture.convert("RGB").resize((256, 256), Image.Resampling.LANCZOS)


def framed(*pictures: tuple[Image.Image, tuple[int, int]], size: tuple[int, int] = FRAME) -> Image.Image:
    """Pictures laid into a frame of noise, each at its place."""
    noise = np.random.default_rng(len(pictures)).integers(90, 120, (size[1], size[0], 3), np.uint8)
    frame = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    for picture, place in pictures:
        frame.paste(picture, place)
    return frame


def scaled(picture: Image.Image, factor: float) -> Image.Image:
    side = round(picture.width * factor)
    return picture.resize((side, side), Image.Resampling.LANCZOS)


def narrowed(picture: Image.Image) -> Image.Image:
    """Only the head of an example, so that two fit side by side."""
    return picture.crop((70, 20, 190, 235))


def write_cases(folder: Path) -> None:
    """One picture for every reason, named after it, and beside it one that just passes."""
    skipper, gardener, dancer = example("skipper"), example("gardener"), example("dancer")
    blurred, softened = (skipper.filter(ImageFilter.GaussianBlur(radius)) for radius in (2.5, 0.5))
    cases = {
        "plain": framed((skipper, PLACE)),
        "small": framed((scaled(skipper, 0.5), PLACE)),
        "smallish": framed((scaled(skipper, 0.7), PLACE)),
        "blurred": framed((blurred, PLACE)),
        "soft": framed((softened, PLACE)),
        "cut": skipper.crop((125, 0, 256, 256)),
        "edge": skipper.crop((75, 0, 256, 256)),
        "close": framed((narrowed(dancer), (40, 20)), (narrowed(gardener), (118, 20))),
        "apart": framed((narrowed(dancer), (40, 20)), (narrowed(gardener), (320, 20)), size=(480, 280)),
        "turned": framed((dancer, PLACE)),
        "frontal": framed((gardener, PLACE)),
        "empty": framed(),
    }
    folder.mkdir()
    for name, picture in cases.items():
        picture.save(folder / f"{name}.png", compress_level=1)
    cases["frontal"].resize((288, 252), Image.Resampling.LANCZOS).save(folder / "copy.jpg", quality=60)
    whole = (folder / "plain.png").read_bytes()
    (folder / "damaged.png").write_bytes(whole[: len(whole) // 3])
