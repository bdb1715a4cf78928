# SPDX-License-Identifier: GPL-3.0-or-later
"""View transforms: from scene-linear Rec.709 to what an sRGB display shows, and back.

Standard and Raw are built in. AgX, Filmic and every other view of Blender's go through OpenColorIO with the
configuration named in the encoding, in Blender's own order: exposure, look, view, gamma.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import PyOpenColorIO as ocio

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array, Encoding

ACCURACY = 5e-4
"""Display error (of 1) above which a quickly inverted colour is inverted exactly."""

Curve = Callable[[Array], Array]
"""(N, 3) float32 → (N, 3) float32, a new array."""


class View(NamedTuple):
    """shown: scene-linear → display, 0…1. undone: display 0…1 → scene-linear."""

    shown: Curve
    undone: Curve


def view_of(encoding: Encoding) -> View:
    """The view an encoding names, with its exposure and gamma.

    Raises:
        LifelikeError: INVALID_SETTING for a view, look or configuration that is missing or cannot be undone, or
            an exposure or gamma out of range.
    """
    if not (np.isfinite(encoding.exposure) and abs(encoding.exposure) <= 64 and 1e-3 < encoding.gamma < 1e3):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"Exposure {encoding.exposure} with gamma {encoding.gamma} leaves nothing to see.",
            "Choose an exposure within ±64 stops and a gamma above 0.",
        )
    built_in = _BUILT_IN.get(encoding.view_transform) if encoding.look in ("", "None") else None
    view = built_in or _from_configuration(encoding.ocio_config, encoding.view_transform, encoding.look)
    scale, gamma = np.float32(2.0**encoding.exposure), encoding.gamma

    def shown(linear: Array) -> Array:
        values = np.clip(view.shown(linear * scale), 0, 1)
        return values if gamma == 1 else _power(values, 1 / gamma)

    def undone(display: Array) -> Array:
        return view.undone(display if gamma == 1 else _power(display, gamma)) / scale

    return View(shown, undone)


def srgb_encoded(linear: Array) -> Array:
    """Linear → sRGB (IEC 61966-2-1), clipped to 0…1, float32."""
    values = np.clip(linear, 0, 1, dtype=np.float32)
    encoded: Array = np.where(values <= 0.0031308, values * 12.92, 1.055 * _power(values, 1 / 2.4) - 0.055)
    return encoded


def srgb_decoded(display: Array) -> Array:
    """sRGB 0…1 (IEC 61966-2-1) → linear, float32."""
    values = np.clip(display, 0, 1, dtype=np.float32)
    decoded: Array = np.where(values <= 0.04045, values / 12.92, _power((values + 0.055) / 1.055, 2.4))
    return decoded


def _power(values: Array, exponent: float) -> Array:
    raised: Array = np.power(values, np.float32(exponent))
    return raised


def _unchanged(values: Array) -> Array:
    return values.copy()


_BUILT_IN = {"Standard": View(srgb_encoded, srgb_decoded), "Raw": View(_unchanged, _unchanged)}


def _from_configuration(file: str, name: str, look: str) -> View:
    if not file or not Path(file).is_file():
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The view transform “{name}” needs an OpenColorIO configuration, and "
            + (f"{file} is not there." if file else "none was named."),
            "Name Blender's own (datafiles/colormanagement/config.ocio in its folder) or use the view Standard.",
        )
    try:
        return _opened(file, Path(file).stat().st_mtime_ns, name, look)
    except ocio.Exception as failure:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The view transform “{name}” with the look “{look}” cannot be used and undone with {file}: "
            f"{str(failure).splitlines()[0]}",
            "Choose a view and look that the configuration knows and can undo, such as AgX or Filmic with no look.",
        ) from failure


@lru_cache(maxsize=8)
def _opened(file: str, changed: int, name: str, look: str) -> View:
    """The view out of a configuration file last changed at `changed` (nanoseconds)."""
    configuration = ocio.Config.CreateFromFile(file)
    transform = _transform(configuration, name, look)
    forward = configuration.getProcessor(transform, ocio.TRANSFORM_DIR_FORWARD).getDefaultCPUProcessor()
    inverse = configuration.getProcessor(transform, ocio.TRANSFORM_DIR_INVERSE)
    quick, exact = inverse.getDefaultCPUProcessor(), inverse.getOptimizedCPUProcessor(ocio.OPTIMIZATION_LOSSLESS)

    def shown(linear: Array) -> Array:
        return _applied(forward, linear)

    def undone(display: Array) -> Array:
        # OpenColorIO's quick inverse of a three-dimensional table is far off for some colours.
        linear = _applied(quick, display)
        off = (np.abs(shown(linear) - display) > ACCURACY).any(axis=1)
        linear[off] = _applied(exact, display[off])
        return linear

    return View(shown, undone)


def _transform(configuration: Any, name: str, look: str) -> Any:
    """Scene-linear Rec.709 → look → view on an sRGB display."""
    linear = "Linear Rec.709" if configuration.getColorSpace("Linear Rec.709") else ocio.ROLE_SCENE_LINEAR
    display = "sRGB" if "sRGB" in configuration.getDisplays() else configuration.getDefaultDisplay()
    group = ocio.GroupTransform()
    if look not in ("", "None"):
        # Blender shortens "AgX - Punchy" to "Punchy" in some places.
        known = next((full for full in (look, f"{name} - {look}") if configuration.getLook(full)), look)
        group.appendTransform(ocio.LookTransform(src=linear, dst=linear, looks=known))
    group.appendTransform(ocio.DisplayViewTransform(src=linear, display=display, view=name, looksBypass=True))
    return group


def _applied(processor: Any, colours: Array) -> Array:
    values = np.array(colours, np.float32, order="C")
    if values.size:
        processor.applyRGB(values)
    return values
