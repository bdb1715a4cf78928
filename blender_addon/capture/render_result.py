# SPDX-License-Identifier: GPL-3.0-or-later
"""The last render → `Frame`.

Blender gives no pixels of its render result to Python, so it is written to a folder in memory, by Blender
itself and through its own colour management, and read back.

A render made while the compositor holds a Lifelike node already shows the last result. Working on that once more
would be wrong, so the render as it was before the compositor is taken then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, Frame, Source

from .. import compat
from ..face.projection import camera_view
from ..face.scene import faces_in_view
from ..made_by_lifelike import shows_in_renders
from ..restore import restored
from .colour import encoding_of_scene, plain_srgb_file
from .multilayer import read_layer
from .pixels import linear_image, memory_folder, read_file, without_idle_alpha

_CLEAN: dict[tuple[str, str], bytes] = {}
"""Fingerprint of the last render without a Lifelike result, by scene and kind: it stays clean when a node comes."""


def capture_render_result(context: bpy.types.Context, kind: str = "display", faces: bool = True) -> Frame:
    """The scene's last render, as it is shown or as it was rendered.

    Args:
        kind: "display": through the scene's view transform, exposure and gamma, float32 from 16-bit values
            0…1; "scene_linear": linear Rec.709, float32, unbounded. A creative grade (look, curves, white
            balance) is left out of both; Blender puts it on again wherever the result is shown.
        faces: add the faces that the scene knows; they are those of the present frame and camera.

    Where the render already holds a Lifelike result, the picture before the compositor is taken, without
    whatever other compositor nodes add.

    Raises:
        LifelikeError: `INVALID_FILE` without a render; `INVALID_SETTING` for a view that cannot be undone, and
            while a render is going on.
    """
    scene = context.scene
    if bpy.app.is_job_running("RENDER"):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, "A render is still going on.", "Wait until it is done, or cancel it."
        )
    encoding = encoding_of_scene(scene, kind)
    image = next((image for image in bpy.data.images if image.type == "RENDER_RESULT"), None)
    if image is None:
        raise _no_render()
    pixels = without_idle_alpha(_untouched(image, scene, kind))
    height, width = pixels.shape[:2]
    hints = _faces(context, width, height) if faces and scene.camera is not None else ()
    source = Source(scene.name, scene.camera.name if scene.camera else "", scene.frame_current)
    return Frame(pixels=pixels, encoding=encoding, faces=hints, source=source)


def _no_render() -> LifelikeError:
    return LifelikeError(
        ErrorCode.INVALID_FILE,
        "There is no render result yet.",
        "Render an image first (F12), then run Lifelike again.",
    )


def _untouched(image: bpy.types.Image, scene: bpy.types.Scene, kind: str) -> np.ndarray:
    """The render without a Lifelike result in it."""
    pixels = _saved(image, scene, kind)
    fingerprint = hashlib.blake2b(pixels.tobytes(), digest_size=16).digest()
    key = (scene.name, kind)
    if shows_in_renders(scene) and _CLEAN.get(key) != fingerprint:
        before = _before_compositor(image, scene, kind)
        if before is not None:
            return before
    else:
        _CLEAN[key] = fingerprint
    return pixels


def _before_compositor(image: bpy.types.Image, scene: bpy.types.Scene, kind: str) -> np.ndarray | None:
    """The view layer's own picture; None where the render does not hold it (stereo, an engine of its own kind)."""
    with memory_folder() as folder, _file_settings(scene) as settings:
        compat.choose_multilayer(settings)
        path = folder / "layers.exr"
        _save(image, path, scene)
        data = path.read_bytes() if path.exists() else b""
    layer = compat.rendered_layer(scene)
    linear = read_layer(data, f"{layer}.Combined") if data else None
    if linear is None or kind == "scene_linear":
        return linear
    with linear_image(linear) as copy:
        return _saved(copy, scene, kind)


def _saved(image: bpy.types.Image, scene: bpy.types.Scene, kind: str) -> np.ndarray:
    """(H, W, 4) float32 of an image, written through the scene's view or as it is, and read back."""
    with memory_folder() as folder, _file_settings(scene) as settings:
        if kind == "display":
            compat.choose_file_format(settings, "PNG", "RGBA", "16")
            settings.compression = 0
            path = folder / "render.png"
            with plain_srgb_file(scene):
                _save(image, path, scene)
        else:
            compat.choose_file_format(settings, "OPEN_EXR", "RGBA", "32")
            settings.exr_codec = "NONE"
            path = folder / "render.exr"
            _save(image, path, scene)
        # Stereo renders are written one file a view: the first is taken.
        written = path if path.exists() else next(iter(sorted(folder.iterdir())), None)
        if written is None:
            raise _no_render()
        return read_file(written)


@contextmanager
def _file_settings(scene: bpy.types.Scene) -> Iterator[bpy.types.ImageFormatSettings]:
    """The scene's file output, to be changed while open."""
    settings = scene.render.image_settings
    # Choosing a file format sets this; formats that are not linear have no value that could be read.
    linear_space = ("name",) if settings.has_linear_colorspace else ()
    with restored(settings.linear_colorspace_settings, linear_space), restored(settings, compat.IMAGE_SETTINGS):
        yield settings


def _save(image: bpy.types.Image, path: Path, scene: bpy.types.Scene) -> None:
    try:
        image.save_render(str(path), scene=scene)
    except RuntimeError as error:
        raise _no_render() from error


def _faces(context: bpy.types.Context, width: int, height: int) -> tuple[FaceHint, ...]:
    depsgraph = context.evaluated_depsgraph_get()
    view = camera_view(context.scene, depsgraph, context.scene.camera, width, height)
    return () if view is None else faces_in_view(depsgraph, view, width, height, rendered=True)
