# SPDX-License-Identifier: GPL-3.0-or-later
"""`Result` → packed image datablocks that look the same wherever Blender shows them."""

from __future__ import annotations

import bpy
import numpy as np

from lifelike_protocol.messages import Encoding, Result
from lifelike_protocol.terms import terms_text

from ..capture.colour import COLOUR_SPACE_OF_VIEW, linear_colour_space
from ..capture.pixels import memory_folder, read_file
from ..made_by_lifelike import is_marked, mark, remember_terms
from ..portable_network_graphics import png
from .openexr import openexr

_OPENED = 16
"""How much wider the stored mask opens: the result is already blended by the soft mask itself."""


def deliver_image(result: Result, name: str) -> bpy.types.Image:
    """The result as an image called `name`.

    Display pixels keep their values (8 or 16 bits) and are tagged with the colour space that undoes the view
    they were seen through; gamma is undone in the values. Where the view had an exposure, which no colour
    space undoes, and for scene-linear results, the image holds scene-linear half floats.

    An image that an earlier run made under this name is updated in place; a user's image of that name stays,
    and Blender numbers the new one. The custom property "lifelike_terms" says what the bundle's licence asks.
    """
    image = put_picture(result.pixels, result.encoding, name)
    remember_terms(image, terms_text(result.provenance))
    return image


def put_picture(pixels: np.ndarray, encoding: Encoding, name: str) -> bpy.types.Image:
    """Pixels that the backend made as an image called `name`, without what is known of a result."""
    data, colour_space = _file_of(pixels, encoding)
    return put_file(data, colour_space, name)


def result_image(name: str) -> bpy.types.Image | None:
    """The image that an earlier run made under `name`, whatever it is called now."""
    role = f"image:{name}"
    return next((image for image in bpy.data.images if is_marked(image, role) and image.library is None), None)


def deliver_mask(result: Result, name: str) -> bpy.types.Image:
    """Where the result differs from the input, 0…1, as an image called "`name` Mask"."""
    height, width = result.pixels.shape[:2]
    mask = np.zeros((height, width), np.uint16)
    for face in result.faces:
        x0, y0, x1, y1 = face.box
        region = mask[y0:y1, x0:x1]
        np.maximum(region, face.mask, out=region)
    opened = np.minimum(mask * _OPENED, 255).astype(np.uint8)
    return put_file(png(opened[..., None]), "Non-Color", f"{name} Mask")


def put_file(data: bytes, colour_space: str, name: str) -> bpy.types.Image:
    """Packs a picture file into the image that an earlier run made under `name`, or into a new one."""
    image = result_image(name)
    if image is None:
        image = bpy.data.images.new(name, 1, 1)
        mark(image, f"image:{name}")
        # No result is lost on saving, even if nothing uses it yet.
        image.use_fake_user = True
    image.buffers_free()
    image.pack(data=data, data_len=len(data))
    # Each of these reads the picture anew, also when it is set to what it is.
    alpha_mode = "STRAIGHT" if data.startswith(b"\x89PNG") else "PREMUL"
    for owner, name, value in (
        (image, "source", "FILE"),
        (image, "alpha_mode", alpha_mode),
        (image.colorspace_settings, "name", colour_space),
    ):
        if getattr(owner, name) != value:
            setattr(owner, name, value)
    image.buffers_free()
    image.update_tag()
    return image


def _file_of(pixels: np.ndarray, encoding: Encoding) -> tuple[bytes, str]:
    """A picture file and the image colour space it is to be read in."""
    if encoding.kind == "scene_linear":
        return openexr(pixels), linear_colour_space()
    colour_space = COLOUR_SPACE_OF_VIEW[encoding.view_transform]
    if pixels.dtype == np.uint8 and encoding.gamma == 1.0:
        data = png(pixels)
    else:
        data = png(_sixteen_bits(pixels, encoding.gamma))
    if encoding.exposure == 0.0:
        return data, colour_space
    return openexr(_scene_linear(data, colour_space, encoding.exposure)), linear_colour_space()


def _sixteen_bits(pixels: np.ndarray, gamma: float) -> np.ndarray:
    """Display pixels as uint16, with the view's gamma (applied last, as a power of 1 / gamma) undone."""
    values = pixels / np.float32(255) if pixels.dtype == np.uint8 else pixels.astype(np.float32)
    values = np.clip(values, 0.0, 1.0)
    if gamma != 1.0:
        values[..., :3] = values[..., :3] ** gamma
    return np.rint(values * 65535).astype(np.uint16)


def _scene_linear(data: bytes, colour_space: str, exposure: float) -> np.ndarray:
    """Lets Blender undo the view transform of a picture file, and undoes the exposure (in stops) itself."""
    with memory_folder() as folder:
        path = folder / "result.png"
        path.write_bytes(data)
        pixels = read_file(path, colour_space)
    pixels[..., :3] *= 2.0**-exposure
    return pixels
