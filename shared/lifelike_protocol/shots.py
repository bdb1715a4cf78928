# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person asks of `lifelike dataset render`, as backend and Blender both read it. Standard library only.

A shot is one situation (person, expression, pose, light, camera), rendered once in each look. Everything random about
shot k comes from (seed, k) alone.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from .errors import ErrorCode, LifelikeError

Range = tuple[float, float]
"""Lowest and highest value; drawn evenly between."""


@dataclass(frozen=True)
class ShotSettings:
    """How the shots of a data set are made.

    seed: of everything random.
    resolution: side of a portrait, pixels.
    samples: of Cycles a pixel; 0: as many as the scene (or its hook) says.
    poses: shots in a row of the same person, where a hook draws persons.
    yaw, pitch: where the camera stands, degrees from straight before the face; yaw > 0: on the subject's left,
        pitch > 0: above.
    distance: of the camera from the face in metres, for a face with eyes 63 mm apart (smaller and larger heads are
        measured in their own size).
    focal: focal lengths in mm (36 mm film) where the scene knows no landmarks. With landmarks the focal length
        follows from the distance, since the picture is FFHQ's crop.
    head_turn: turn of the head bone about each axis, degrees either way; 0: as it is.
    expressive: share of the shots with an expression. expression: how strong its shape key is, 0…1 of its range.
    expressions: regular expression for names of shape keys; empty: names that sound like expressions.
    frames: first and last frame to take from an animation; None: the scene's own range if something in it moves.
    ambient: mean radiance of the surroundings. key: radiance that the key light gives a white surface facing it; in
        shots without one, the surroundings give as much more.
    key_azimuth: degrees to either side of the camera. key_elevation: above it. key_size: diameter in metres.
    lit: share of the shots with a key light beside the surroundings.
    keep_lights: leave the scene's own lights and world as they are.
    match_exposure: expose each look so that the face is as bright as in the first.
    attempts: draws for one shot before it is given up, where the face is hidden, turned away or not found.
    """

    seed: int = 0
    resolution: int = 256
    samples: int = 0
    poses: int = 1
    # Within what the paired heads show (30 and 10 degrees), and short of where an eye disappears.
    yaw: Range = (-25.0, 25.0)
    pitch: Range = (-10.0, 10.0)
    # Arm's length to the far end of portrait photography; PARAMETRIC.md of the paired heads draws from the same.
    distance: Range = (0.8, 1.7)
    # What photographers call portrait lenses, on 36 mm film.
    focal: Range = (50.0, 100.0)
    # The example avatar's own sittings (examples/render_people.py).
    head_turn: tuple[float, float, float] = (14.0, 5.0, 5.0)
    expressive: float = 0.7
    expression: Range = (0.3, 0.95)
    expressions: str = ""
    frames: tuple[int, int] | None = None
    # Light as in the paired heads: ambient and key together show white skin just below clipping.
    ambient: Range = (0.24, 0.5)
    key: Range = (0.45, 0.8)
    key_azimuth: Range = (8.0, 60.0)
    key_elevation: Range = (8.0, 50.0)
    key_size: Range = (0.1, 0.6)
    lit: float = 0.75
    keep_lights: bool = False
    match_exposure: bool = False
    attempts: int = 8

    def __post_init__(self) -> None:
        for name in ("yaw", "pitch", "distance", "focal", "expression", "ambient", "key", "key_azimuth",
                     "key_elevation", "key_size"):  # fmt: skip
            low, high = getattr(self, name)
            if not low <= high:
                raise _unusable(f"{name} goes from {low} to {high}", "Give the lower end first.")
        for name, least, most in _LIMITS:
            value = getattr(self, name)
            for number in value if isinstance(value, tuple) else (value,):
                if not least <= number <= most:
                    raise _unusable(f"{name} is {number:g}", f"Choose {least:g} to {most:g}.")
        if self.frames is not None and not self.frames[0] <= self.frames[1]:
            raise _unusable(f"frames go from {self.frames[0]} to {self.frames[1]}", "Give the first frame first.")

    def to_plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)

    @classmethod
    def of_plain(cls, values: Mapping[str, Any]) -> ShotSettings:
        """From JSON or TOML: lists become ranges.

        Raises:
            LifelikeError: INVALID_SETTING for an unknown name or an unusable value.
        """
        defaults = {field.name: field.default for field in fields(cls)}
        given: dict[str, Any] = {}
        for name, value in values.items():
            if name not in defaults:
                raise _unusable(f"{name!r} is unknown", f"Known are {', '.join(sorted(defaults))}.")
            given[name] = tuple(value) if isinstance(value, list) else value
            # The one setting without a default of its kind is a pair of whole numbers, or nothing.
            like = (0, 0) if defaults[name] is None else defaults[name]
            if not _is_like(given[name], like) and not (defaults[name] is None and value is None):
                raise _unusable(f"{name} is {value!r}", f"Write it like {json.dumps(like)}.")
        return cls(**given)


_LIMITS: tuple[tuple[str, float, float], ...] = (
    ("seed", 0, 2**63),
    ("resolution", 16, 4096),
    ("samples", 0, 65536),
    ("poses", 1, 10**6),
    # Beyond these an eye or the chin is hidden, and the crop by eyes and mouth means nothing.
    ("yaw", -80, 80),
    ("pitch", -60, 60),
    ("distance", 0.1, 100),
    ("focal", 5, 500),
    ("head_turn", 0, 60),
    ("expressive", 0, 1),
    ("expression", 0, 1),
    ("ambient", 0, 100),
    ("key", 0, 100),
    ("key_azimuth", 0, 180),
    ("key_elevation", -90, 90),
    ("key_size", 0.001, 100),
    ("lit", 0, 1),
    ("attempts", 1, 1000),
)


def _is_like(value: Any, pattern: Any) -> bool:
    if isinstance(pattern, tuple):
        return (
            isinstance(value, tuple)
            and len(value) == len(pattern)
            and all(_is_like(*pair) for pair in zip(value, pattern, strict=True))
        )
    if isinstance(pattern, bool) or isinstance(value, bool):
        return isinstance(pattern, bool) and isinstance(value, bool)
    if isinstance(pattern, float):
        return isinstance(value, (int, float)) and math.isfinite(value)
    return isinstance(value, type(pattern))


def _unusable(what: str, remedy: str) -> LifelikeError:
    return LifelikeError(ErrorCode.INVALID_SETTING, f"These shots can't be made: {what}.", remedy)
