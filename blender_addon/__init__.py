# SPDX-License-Identifier: GPL-3.0-or-later
"""Lifelike: renders in, photographs of the same people out. This module only registers."""

from __future__ import annotations

import atexit

import bpy

from . import operators, panels, polling, preferences, properties
from .backend import THE_BACKEND
from .outcome import LAST_RUN, forget_on_load

CLASSES = (*properties.CLASSES, *operators.CLASSES, *panels.CLASSES, *preferences.CLASSES)


def register() -> None:
    """Called by Blender when the extension is enabled."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.lifelike = bpy.props.PointerProperty(type=properties.LifelikeSceneSettings)
    bpy.app.handlers.load_post.append(forget_on_load)
    atexit.register(THE_BACKEND.stop)


def unregister() -> None:
    """Called by Blender when the extension is disabled, and when Blender quits; a picture may be worked on."""
    polling.stop_polling()
    THE_BACKEND.stop()
    atexit.unregister(THE_BACKEND.stop)
    if forget_on_load in bpy.app.handlers.load_post:  # other add-ons have been seen to clear handlers
        bpy.app.handlers.load_post.remove(forget_on_load)
    LAST_RUN.forget()
    del bpy.types.Scene.lifelike
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
