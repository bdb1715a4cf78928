# SPDX-License-Identifier: GPL-3.0-or-later
"""The scene's render settings for portraits, and the looks rendered one after the other."""

from __future__ import annotations

import random
from pathlib import Path
from typing import TYPE_CHECKING

import bpy
import numpy as np

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.shots import ShotSettings

from .. import compat
from .borrowed import Borrowed
from .developing import develop
from .exposure import face_brightness, save_as_bright, save_rendered

if TYPE_CHECKING:
    from .hook import Shot
    from .shoot import Studio

# The compositor and the sequencer may crop, move or write elsewhere; the border and stereo change the picture's shape.
_OFF = ("use_border", "use_crop_to_border", "use_compositing", "use_sequencer", "use_multiview", "use_stamp",
        "film_transparent", "use_overwrite", "use_persistent_data")  # fmt: skip


def set_render(scene: bpy.types.Scene, settings: ShotSettings, dice: random.Random, lent: Borrowed) -> None:
    """A square PNG of the right size, in the scene's own engine, with this shot's noise."""
    render = scene.render
    for name in _OFF:
        lent.set(render, name, False)
    for name, value in (("resolution_percentage", 100), ("pixel_aspect_x", 1.0), ("pixel_aspect_y", 1.0)):
        lent.set(render, name, value)
    for name in ("resolution_x", "resolution_y"):
        lent.set(render, name, settings.resolution)
    lent.keep(render.image_settings, compat.IMAGE_SETTINGS)
    compat.choose_file_format(render.image_settings, "PNG", "RGB", "8")
    for name in ("view_transform", "look", "exposure", "gamma"):
        lent.set(scene.view_settings, name, getattr(scene.view_settings, name))
    cycles = getattr(scene, "cycles", None)
    if render.engine != "CYCLES" or cycles is None:
        return
    lent.set(cycles, "seed", dice.randrange(2**31 - 1))
    lent.set(cycles, "use_animated_seed", False)
    if settings.samples:
        lent.set(cycles, "samples", settings.samples)
    if not compat.can_denoise():
        lent.set(cycles, "use_denoising", False)


def render_looks(
    studio: Studio, shot: Shot, pixels: np.ndarray, folder: Path
) -> tuple[dict[str, str], dict[str, float]]:
    """Renders every look; returns the file names, and the stops by which exposures were changed, by look.

    Args:
        pixels: (68, 2) landmarks, for matching exposures.
    """
    files: dict[str, str] = {}
    stops: dict[str, float] = {}
    wanted = None
    for name in studio.looks:
        if studio.hook.has("look"):
            studio.hook.call("look", shot, name)
            bpy.context.view_layer.update()
        file = folder / f"{shot.number:06d}_{name}.png"
        if wanted is None:
            render_to(studio.scene, file)
            if studio.settings.match_exposure:
                wanted = face_brightness(file, pixels)
        else:
            render(studio.scene)
            stops[name] = round(save_as_bright(studio.scene, file, wanted, pixels), 4)
        develop(studio, shot, name, file)
        files[name] = file.name
    return files, stops


def render_to(scene: bpy.types.Scene, file: Path) -> None:
    """Renders into a PNG file, through the scene's view transform."""
    render(scene)
    save_rendered(scene, file)


def render(scene: bpy.types.Scene) -> None:
    """Renders.

    Raises:
        LifelikeError: INTERNAL where Blender refuses.
    """
    try:
        bpy.ops.render.render(scene=scene.name)
    except RuntimeError as error:
        raise LifelikeError(
            ErrorCode.INTERNAL, f"Blender can't render the scene: {str(error).strip()}", "Render it in Blender once."
        ) from error
