# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import bpy

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Inversion, Method, Restoration, Settings
from lifelike_protocol.validation import MAX_STEPS

from .properties import COLOURS, METHODS, OUTPUTS, SOURCES, VIEWPOINTS

_CHOICES = {
    name: tuple(item[0] for item in items)
    for name, items in (("source", SOURCES), ("viewpoint", VIEWPOINTS), ("colours", COLOURS), ("method", METHODS))
}
_OUTPUTS = tuple(item[0] for item in OUTPUTS)
_NO_LONGER, _RESTORED = Inversion(), Restoration()
_STEPS = ("refine", "tune")
_SHARES = ("restore_iris", "restore_skin", "restore_background", "restore_accessories")


@dataclass(frozen=True)
class Request:
    """Everything one run needs. Blender's data is named, not held: undo replaces it while the backend works."""

    scene: str
    source: str = "VIEWPORT"
    viewpoint: str = "AUTO"
    colours: str = "display"
    image: str = ""
    outputs: frozenset[str] = frozenset({"IMAGE"})
    texture_object: str = ""
    strength: float = 1.0
    bundle: str = "builtin"
    method: str = "bundle"
    refine: int = _NO_LONGER.refine
    tune: int = _NO_LONGER.tune
    restore_iris: float = _RESTORED.iris
    restore_skin: float = _RESTORED.skin
    restore_background: float = _RESTORED.background
    restore_accessories: float = _RESTORED.accessories

    @property
    def settings(self) -> Settings:
        """What goes over the wire."""
        return Settings(
            self.bundle,
            self.strength,
            Method(self.method),
            Inversion(self.refine, self.tune),
            Restoration(self.restore_iris, self.restore_skin, self.restore_background, self.restore_accessories),
        )

    @classmethod
    def from_scene(cls, scene: bpy.types.Scene, **overrides: Any) -> Request:
        """What `scene.lifelike` says, except where `overrides` (fields of this class) say otherwise."""
        settings = scene.lifelike
        request = cls(
            scene=scene.name,
            source=settings.source,
            viewpoint=settings.viewpoint,
            colours=settings.colours,
            image=settings.image.name if settings.image else "",
            outputs=frozenset(settings.outputs),
            texture_object=settings.texture_object.name if settings.texture_object else "",
            strength=settings.strength,
            bundle=settings.bundle or "builtin",
            method=settings.method,
            **{name: getattr(settings, name) for name in (*_STEPS, *_SHARES)},
        )
        unknown = set(overrides) - {known.name for known in fields(cls)}
        if unknown:
            raise _invalid(f"There is no setting called {', '.join(sorted(unknown))}.", "Use the fields of Request.")
        return replace(request, **{name: _plain(name, value) for name, value in overrides.items()})

    def check(self) -> None:
        """Raises LifelikeError (INVALID_SETTING) for what cannot work, before anything is captured."""
        for name, known in _CHOICES.items():
            if getattr(self, name) not in known:
                raise _invalid(f"{name} cannot be “{getattr(self, name)}”.", f"Choose one of {', '.join(known)}.")
        if not self.outputs <= set(_OUTPUTS):
            raise _invalid("An output is not known.", f"Choose among {', '.join(_OUTPUTS)}.")
        for name in ("strength", *_SHARES):
            if not 0.0 <= getattr(self, name) <= 1.0:
                what = name.replace("_", " ")
                raise _invalid(f"The {what} cannot be {getattr(self, name)}.", "Choose a value from 0 to 1.")
        for name in _STEPS:
            if not 0 <= getattr(self, name) <= MAX_STEPS:
                raise _invalid(f"{name} cannot be {getattr(self, name)} steps.", f"Choose from 0 to {MAX_STEPS}.")
        if not self.outputs:
            raise _invalid("No output is chosen.", "Choose at least one of image, texture and compositor.")
        if self.source == "IMAGE" and self.image not in bpy.data.images:
            raise _invalid("No image is chosen as the source.", "Choose the image to work on.")
        if "TEXTURE" in self.outputs:
            target = bpy.data.objects.get(self.texture_object)
            if target is None or target.type != "MESH":
                raise _invalid("No mesh object is chosen for the texture.", "Choose the object that receives it.")


def _plain(name: str, value: Any) -> Any:
    """An override as the fields hold it: a data block by its name, outputs as a frozen set."""
    if name == "outputs":
        return frozenset(value)
    return value.name if isinstance(value, bpy.types.ID) else value


def _invalid(what: str, remedy: str) -> LifelikeError:
    return LifelikeError(ErrorCode.INVALID_SETTING, what, remedy)
