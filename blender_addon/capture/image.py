# SPDX-License-Identifier: GPL-3.0-or-later
"""Any image datablock → `Frame`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding, Frame, Source

from .. import compat
from .colour import VIEW_OF_COLOUR_SPACE, encoding_of_scene
from .pixels import image_pixels, memory_folder, read_file, without_idle_alpha
from .render_result import capture_render_result

_LINEAR = ("Linear Rec.709", "scene_linear")


def capture_image(image: bpy.types.Image, context: bpy.types.Context) -> Frame:
    """The picture in an image datablock, of any bit depth, packed, generated or on disk.

    8-bit images in a display space come as the very bytes (uint8). Images in a scene-linear space come
    scene-linear (float32), to be seen through the scene's view. All others come as display pixels
    (float32): through the view they are tagged with, or through Standard where the space is no view's.
    Of an image sequence the file with the present frame's number is taken, or the one that was opened; of a movie
    the frame that Blender showed last. No faces are known of an image.

    Raises:
        LifelikeError: `INVALID_FILE` when there are no pixels (missing file, empty viewer).
    """
    if image.type == "RENDER_RESULT":
        return capture_render_result(context)
    if image.source == "SEQUENCE":
        with _present_frame(image, context.scene.frame_current) as present:
            return _captured(present, context)
    return _captured(image, context)


def _captured(image: bpy.types.Image, context: bpy.types.Context) -> Frame:
    _require_pixels(image)
    space = image.colorspace_settings.name
    source = Source(scene=context.scene.name, frame=context.scene.frame_current)
    if space in _LINEAR:
        encoding = encoding_of_scene(context.scene, "scene_linear")
        return Frame(pixels=without_idle_alpha(image_pixels(image)), encoding=encoding, source=source)
    view_transform = VIEW_OF_COLOUR_SPACE.get(space, "Standard")
    if not image.is_float and space in VIEW_OF_COLOUR_SPACE:
        pixels = np.rint(image_pixels(image) * 255).astype(np.uint8)
    else:
        pixels = _seen_through(image, view_transform)
    return Frame(pixels=without_idle_alpha(pixels), encoding=Encoding(view_transform=view_transform), source=source)


@contextmanager
def _present_frame(image: bpy.types.Image, frame: int) -> Iterator[bpy.types.Image]:
    """One file of an image sequence as an image of its own. Blender shows sequences only to their users."""
    opened = Path(bpy.path.abspath(image.filepath))
    numbers = list(re.finditer(r"\d+", opened.stem))
    present = opened
    if numbers:
        start, end = numbers[-1].span()
        named = opened.with_stem(f"{opened.stem[:start]}{frame:0{end - start}d}{opened.stem[end:]}")
        present = named if named.is_file() else opened
    if not present.is_file():
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The image sequence “{image.name}” has no files.", "Check its file path."
        )
    still = bpy.data.images.load(str(present), check_existing=False)
    try:
        still.colorspace_settings.name = image.colorspace_settings.name
        still.alpha_mode = image.alpha_mode
        yield still
    finally:
        bpy.data.images.remove(still)


def _require_pixels(image: bpy.types.Image) -> None:
    # Reading `size` loads the file; only then does `has_data` tell the truth.
    if 0 in image.size or image.channels == 0 or not image.has_data:
        where = "Check its file path." if image.source in ("FILE", "SEQUENCE", "MOVIE", "TILED") else ""
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The image “{image.name}” has no pixels.", where or "Choose another image."
        )


def _seen_through(image: bpy.types.Image, view_transform: str) -> np.ndarray:
    """(H, W, 4) float32 display pixels of an image that is not the render result, from 16-bit values."""
    scene = bpy.data.scenes.new("Lifelike Capture")
    try:
        scene.display_settings.display_device = "sRGB"
        scene.view_settings.view_transform = view_transform
        settings = scene.render.image_settings
        compat.choose_file_format(settings, "PNG", "RGBA", "16")
        settings.compression = 0
        with memory_folder() as folder:
            path = folder / "image.png"
            image.save_render(str(path), scene=scene)
            return read_file(path)
    except RuntimeError as error:
        raise LifelikeError(
            ErrorCode.INVALID_FILE, f"The image “{image.name}” could not be read: {error}.", "Choose another image."
        ) from error
    finally:
        bpy.data.scenes.remove(scene)
