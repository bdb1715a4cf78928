# SPDX-License-Identifier: GPL-3.0-or-later
"""Pixels out of picture files: Pillow for 8 bits a channel, OpenImageIO for everything finer."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import OpenImageIO as oiio
from PIL import Image, ImageCms, ImageOps

from lifelike_protocol.messages import Array

log = logging.getLogger(__name__)

MAX_SIDE = 16384
"""Pixels; the protocol's own limit."""
# Pillow suspects an attack in pictures a quarter as large; the limit here is checked before decoding.
Image.MAX_IMAGE_PIXELS = MAX_SIDE**2

UNMULTIPLIED = {"oiio:UnassociatedAlpha": 1}


class Unreadable(Exception):
    """Why a file gives no picture, as the end of a sentence."""


class Decoded(NamedTuple):
    """pixels: (H, W, 3 or 4) uint8, float16 or float32. linear: scene-linear, not display-referred."""

    pixels: Array
    linear: bool


class Layer(NamedTuple):
    """Colour channels of one part of a file. channels: indices of red, green, blue and perhaps alpha."""

    part: int
    channels: tuple[int, ...]


def decode(path: Path) -> Decoded:
    """The picture in a file.

    Raises:
        Unreadable: with the reason.
        OSError: where the file cannot be read at all.
    """
    source = oiio.ImageInput.open(str(path), _configuration())
    if source is None:
        reason = oiio.geterror().splitlines()
        log.debug("%s: %s", path, reason)
        raise Unreadable("is not a picture that can be read")
    try:
        spec = source.spec()
        if max(spec.full_width, spec.full_height, spec.width, spec.height) > MAX_SIDE:
            raise Unreadable(f"is larger than {MAX_SIDE} pixels a side")
        if spec.format.basetype == oiio.UINT8 and source.format_name() != "openexr":
            return Decoded(_eight_bits(path), linear=False)
        return _fine(source)
    finally:
        source.close()


def _configuration() -> Any:
    """Alpha as it is in the file, and no guesses about its colours."""
    spec = oiio.ImageSpec()
    for name, value in UNMULTIPLIED.items():
        spec.attribute(name, value)
    return spec


def _eight_bits(path: Path) -> Array:
    """(H, W, 3 or 4) uint8, upright, in sRGB."""
    try:
        with Image.open(path) as picture:
            upright = ImageOps.exif_transpose(picture)
            transparent = upright.has_transparency_data
            colours = _in_srgb(upright)
            return np.array(colours.convert("RGBA" if transparent else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as failure:
        raise Unreadable(f"is damaged ({failure})") from failure


def _in_srgb(picture: Image.Image) -> Image.Image:
    """The picture with its embedded colour profile carried out; unchanged where there is none that can be."""
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(embedded) or "").lower():
            return picture
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(picture, embedded, ImageCms.createProfile("sRGB"), outputMode=mode)
        return converted or picture
    except ImageCms.PyCMSError as failure:
        log.warning("an embedded colour profile cannot be used: %s", failure)
        return picture


def _fine(source: Any) -> Decoded:
    """Pictures of 16 bits and more: integers are display-referred, floating point is scene-linear."""
    layer = find_layer(source)
    spec = source.spec(layer.part)
    integers = spec.format.basetype not in (oiio.HALF, oiio.FLOAT, oiio.DOUBLE)
    kind = "half" if spec.format.basetype == oiio.HALF else "float"
    first, last = min(layer.channels), max(layer.channels) + 1
    values = source.read_image(layer.part, 0, first, last, kind)
    if values is None or source.has_error:
        raise Unreadable(f"is damaged ({source.geterror().splitlines()[0] if source.has_error else 'no pixels'})")
    values = np.asarray(values).reshape(spec.height, spec.width, last - first)
    values = values[:, :, [channel - first for channel in layer.channels]]
    values = _upright(_in_display_window(values, spec), spec.get_int_attribute("Orientation", 1))
    return Decoded(np.ascontiguousarray(values), linear=not integers)


def find_layer(source: Any) -> Layer:
    """The layer that holds the finished picture: plain RGB, else Blender's combined pass, else any colour."""
    layers: dict[str, Layer] = {}
    part = 0
    while source.seek_subimage(part, 0):
        for name, channels in _layers(source.spec().channelnames).items():
            layers.setdefault(name, Layer(part, channels))
        part += 1
    source.geterror()  # forgets that there was no further part
    if not layers:
        raise Unreadable("holds no colour channels")
    return layers[min(layers, key=_rank)]


def _rank(name: str) -> tuple[bool, bool, bool]:
    """Sorts layers' names, best first; ties keep the file's order."""
    words = name.lower().split(".")
    return name != "", "combined" not in words, "composite" not in words


def _layers(names: list[str]) -> dict[str, tuple[int, ...]]:
    """Layer name → channel indices of its red, green, blue (and alpha) or grey (and alpha)."""
    grouped: dict[str, dict[str, int]] = {}
    for index, name in enumerate(names):
        layer, _, channel = name.rpartition(".")
        grouped.setdefault(layer, {})[channel.lower()] = index
    found = {}
    for layer, channels in grouped.items():
        alpha = tuple(channels[name] for name in ("a", "alpha") if name in channels)[:1]
        for colours in (("r", "g", "b"), ("red", "green", "blue"), ("y", "y", "y"), ("i", "i", "i")):
            if all(name in channels for name in colours):
                found[layer] = (*(channels[name] for name in colours), *alpha)
                break
    return found


def _in_display_window(values: Array, spec: Any) -> Array:
    """EXR files may hold only part of the picture (a rendered border): the rest is black and transparent."""
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    if (left, top, spec.width, spec.height) == (0, 0, spec.full_width, spec.full_height):
        return values
    whole = np.zeros((spec.full_height, spec.full_width, values.shape[2]), values.dtype)
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + spec.width, spec.full_width), min(top + spec.height, spec.full_height)
    if x0 < x1 and y0 < y1:
        whole[y0:y1, x0:x1] = values[y0 - top : y1 - top, x0 - left : x1 - left]
    return whole


def _upright(values: Array, orientation: int) -> Array:
    """Undoes an EXIF orientation 1…8."""
    if orientation in (5, 6, 7, 8):
        values = values.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values
