# SPDX-License-Identifier: GPL-3.0-or-later
"""The last render → `Frame`.

Blender gives no pixels of its render result to Python, so it is written to a folder in memory, by Blender
itself and through its own colour management, and read back.
"""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import FaceHint, Frame, Source

from .. import compat
from ..face import camera_view, faces_in_view
from .colour import encoding_of_scene, plain_srgb_file
from .pixels import memory_folder, read_file, without_idle_alpha
from .restore import restored


def capture_render_result(context: bpy.types.Context, kind: str = "display", faces: bool = True) -> Frame:
    """The scene's last render, as it is shown or as it was rendered.

    Args:
        kind: "display": through the scene's view transform, exposure and gamma, float32 from 16-bit values
            0…1; "scene_linear": linear Rec.709, float32, unbounded. A creative grade (look, curves, white
            balance) is left out of both; Blender puts it on again wherever the result is shown.
        faces: add the faces that the scene knows; they are those of the present frame and camera.

    Raises:
        LifelikeError: `INVALID_FILE` without a render; `INVALID_SETTING` for a view that cannot be undone.
    """
    scene = context.scene
    encoding = encoding_of_scene(scene, kind)
    image = next((image for image in bpy.data.images if image.type == "RENDER_RESULT"), None)
    if image is None:
        raise _no_render()
    pixels = without_idle_alpha(_saved(image, scene, kind))
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


def _saved(image: bpy.types.Image, scene: bpy.types.Scene, kind: str) -> np.ndarray:
    settings = scene.render.image_settings
    # Choosing a file format sets this; formats that are not linear have no value that could be read.
    linear_space = ("name",) if settings.has_linear_colorspace else ()
    with (
        memory_folder() as folder,
        restored(settings.linear_colorspace_settings, linear_space),
        restored(settings, compat.IMAGE_SETTINGS),
    ):
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


def _save(image: bpy.types.Image, path: Path, scene: bpy.types.Scene) -> None:
    try:
        image.save_render(str(path), scene=scene)
    except RuntimeError as error:
        raise _no_render() from error


def _faces(context: bpy.types.Context, width: int, height: int) -> tuple[FaceHint, ...]:
    depsgraph = context.evaluated_depsgraph_get()
    view = camera_view(context.scene, depsgraph, context.scene.camera, width, height)
    return () if view is None else faces_in_view(depsgraph, view, width, height, rendered=True)
