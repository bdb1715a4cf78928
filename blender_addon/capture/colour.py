# SPDX-License-Identifier: GPL-3.0-or-later
"""Which view transform a picture was seen through, and the image colour space that undoes it.

A picture shown through AgX or Filmic and loaded back as plain sRGB is transformed twice. Blender has an
image colour space for the inverse of each of its view transforms on an sRGB display; a captured frame names
the view, and `deliver` tags the returned image with that space.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Encoding

from .. import compat
from ..restore import restored

COLOUR_SPACE_OF_VIEW = {
    "Standard": "sRGB",
    "Filmic": "Filmic sRGB",
    "Filmic Log": "Filmic Log",
    "AgX": "AgX Base sRGB",
    "Khronos PBR Neutral": "Khronos PBR Neutral sRGB",
    "ACES 1.3": "ACES 1.3 sRGB",
    "ACES 2.0": "ACES 2.0 sRGB",
    "Raw": "Non-Color",
}
"""View transform → the image colour space that takes its sRGB display pixels back to scene-linear."""

VIEW_OF_COLOUR_SPACE = {space: view for view, space in COLOUR_SPACE_OF_VIEW.items()}

# Each setting allows the values of the ones after it. A creative grade is left out of a capture: Blender
# puts it on again wherever the result is shown, so nothing has to be undone and the network sees plain skin.
_GRADE = ("look", "use_curve_mapping", "use_white_balance")
_VIEW = ("view_transform", *_GRADE, "exposure", "gamma")


def configuration_file() -> str:
    """Path of the OpenColorIO configuration that Blender itself uses (OCIO in the environment wins)."""
    chosen = os.environ.get("OCIO", "")
    if chosen and Path(chosen).is_file():
        return chosen
    folder = bpy.utils.system_resource("DATAFILES", path="colormanagement")
    return str(Path(folder) / "config.ocio") if folder else ""


def linear_colour_space() -> str:
    """The image colour space of scene-linear values as Blender holds them in memory."""
    return "Linear Rec.709" if compat.working_space_is_rec709() else "scene_linear"


def encoding_of_scene(scene: bpy.types.Scene, kind: str = "display") -> Encoding:
    """The encoding of a picture of `scene` seen through its view, creative grade left out.

    Args:
        kind: "display" or "scene_linear".

    Raises:
        LifelikeError: `INVALID_SETTING` when display pixels of this view cannot be turned back
            (False Color), or the scene-linear working space is not Rec.709.
    """
    view = scene.view_settings
    if kind == "display" and view.view_transform not in COLOUR_SPACE_OF_VIEW:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"Pictures seen through the view transform “{view.view_transform}” cannot be turned back into a scene.",
            "Choose AgX, Filmic or Standard under Render Properties › Color Management.",
        )
    if kind == "scene_linear" and not compat.working_space_is_rec709():
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            "The file's working colour space is not Linear Rec.709.",
            "Capture the picture through the view transform instead, or choose Linear Rec.709 in the scene.",
        )
    return Encoding(
        kind=kind,
        view_transform=view.view_transform,
        look="None",
        exposure=float(view.exposure),
        gamma=float(view.gamma),
        ocio_config=configuration_file() if kind == "scene_linear" else "",
    )


@contextmanager
def plain_srgb_view(scene: bpy.types.Scene) -> Iterator[None]:
    """While open, the scene is shown on an sRGB display through its own view without a creative grade."""
    view, display = scene.view_settings, scene.display_settings
    with restored(display, ("display_device",)), restored(view, _VIEW):
        _set_plain(view, display, view.view_transform)
        yield


@contextmanager
def plain_srgb_file(scene: bpy.types.Scene) -> Iterator[None]:
    """While open, files of `scene` are written through its own view, plain, for an sRGB display.

    A file output with colour settings of its own gets the scene's: switching that option off and on
    again would lose the user's values.
    """
    settings = scene.render.image_settings
    if settings.color_management != "OVERRIDE":
        with plain_srgb_view(scene):
            yield
        return
    view, display, seen = settings.view_settings, settings.display_settings, scene.view_settings
    with restored(display, ("display_device",)), restored(view, _VIEW):
        _set_plain(view, display, seen.view_transform)
        view.exposure, view.gamma = seen.exposure, seen.gamma
        yield


def _set_plain(
    view: bpy.types.ColorManagedViewSettings, display: bpy.types.ColorManagedDisplaySettings, view_transform: str
) -> None:
    if display.display_device != "sRGB":
        display.display_device = "sRGB"
    view.view_transform = view_transform
    view.look = "None"
    view.use_curve_mapping = False
    if hasattr(view, "use_white_balance"):
        view.use_white_balance = False
