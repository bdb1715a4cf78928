# SPDX-License-Identifier: GPL-3.0-or-later
"""What one run came to, and what the last one did, for the panels."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import bpy

from lifelike_protocol.messages import Provenance, Result

from .backend import Failure


@dataclass(frozen=True)
class FaceOutcome:
    """One face of a result, without its pixels."""

    name: str
    identity_similarity: float | None
    landmark_drift: float | None
    warnings: tuple[str, ...]
    landmark_source: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run left behind. `image_name` outlives undo; `image` is the data block, None once it is removed."""

    image_name: str
    faces: tuple[FaceOutcome, ...]
    timings: dict[str, float]
    bundle: str
    warnings: tuple[str, ...] = ()
    provenance: Provenance | None = None
    result: Result | None = field(default=None, repr=False, compare=False)

    @property
    def image(self) -> bpy.types.Image | None:
        """The result as Blender holds it."""
        return bpy.data.images.get(self.image_name)


@dataclass
class LastRun:
    """At most one of the two is set."""

    outcome: Outcome | None = None
    failure: Failure | None = None

    def succeeded(self, outcome: Outcome) -> None:
        """Remembers a result, without its pixels."""
        self.outcome, self.failure = replace(outcome, result=None), None

    def failed(self, failure: Failure) -> None:
        """Remembers why there is no result."""
        self.outcome, self.failure = None, failure

    def forget(self) -> None:
        """As at the start."""
        self.outcome = self.failure = None


LAST_RUN = LastRun()
"""The one of this Blender."""


@bpy.app.handlers.persistent
def forget_on_load(*_: object) -> None:
    """Handler: another file is open now, and its panels should not tell of the one before."""
    LAST_RUN.forget()
