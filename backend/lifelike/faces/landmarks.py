# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces a frame shows: known from the scene, or found in the picture.

Sources in order: landmarks sent with the frame, face-alignment where its weights are at hand, the bundle's own
landmark network. The first that finds a face is used.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

import numpy as np
from attrs import evolve, frozen

from lifelike.faces import pretrained_landmarks
from lifelike.faces.alignment import portrait_transform, scale_of, touched_box
from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Array, FaceHint, LandmarkSource

log = logging.getLogger(__name__)

Locator = Callable[[Array], Sequence[tuple[Array, float]]]
"""Takes a display frame (H, W, 3) float32 0…1, gives landmarks (68, 2) in frame pixels with a confidence 0…1."""


@frozen
class LocatedFace:
    """One face of a frame.

    name: the sender's, or "face 1", "face 2", … from left to right.
    landmarks: (68, 2) float64, frame pixels.
    confidence: 0…1; 1 for landmarks from the scene.
    mask: (H, W) uint8 as sent, or None.
    """

    name: str
    landmarks: Array
    source: LandmarkSource
    confidence: float = 1.0
    mask: Array | None = None


def locate_faces(
    display: Array, hints: Sequence[FaceHint] = (), bundle_locator: Locator | None = None, device: str = "cpu"
) -> list[LocatedFace]:
    """Every face to work on, each once.

    Without hints: all faces found, from left to right. With hints: the hinted faces in the sender's order and
    no others; a hint without landmarks takes the face found under its mask, or without a mask the largest
    one that no other hint has. Hinted faces that lie outside the frame, whose mask is empty, or that are not
    found are left out.

    Args:
        display: (H, W, 3) float32, 0…1.
        hints: what the sender knows.
        bundle_locator: the bundle's landmark network, if it has one.
        device: where face-alignment runs.

    Raises:
        LifelikeError: NO_FACE where nothing is left; INVALID_SETTING for unusable landmarks in a hint.
    """
    known = {index: _from_scene(hint) for index, hint in enumerate(hints) if hint.landmarks is not None}
    searched = {index: hint for index, hint in enumerate(hints) if hint.landmarks is None and _has_mask(hint)}
    if searched or not hints:
        found = _distinct(_detect(display, bundle_locator, device), list(known.values()))
        if not hints:
            found.sort(key=lambda face: float(_middle(face)[0]))
            known = {index: evolve(face, name=f"face {index + 1}") for index, face in enumerate(found)}
        else:
            known |= _assigned(searched, found)
    visible = [known[index] for index in sorted(known) if _visible(known[index], display.shape)]
    if not visible:
        raise LifelikeError(
            ErrorCode.NO_FACE,
            "No face was found in the picture." if not hints else "None of the faces asked for is in the picture.",
            "Show the face from the front or at three quarters, larger than about 30 pixels and unobstructed, "
            "or send its landmarks.",
        )
    return visible


def _from_scene(hint: FaceHint) -> LocatedFace:
    landmarks = np.asarray(hint.landmarks, np.float64)
    portrait_transform(landmarks, 1)  # refuses unusable ones
    return LocatedFace(hint.name, landmarks, LandmarkSource.SCENE, 1.0, hint.mask)


def _has_mask(hint: FaceHint) -> bool:
    """False for a mask that leaves nothing to change."""
    return hint.mask is None or bool(hint.mask.any())


def _visible(face: LocatedFace, shape: tuple[int, ...]) -> bool:
    """Whether any of a face's portrait lies in the frame and its mask leaves something to change."""
    inside = touched_box(portrait_transform(face.landmarks, 1), 1, shape) != (0, 0, 0, 0)
    return inside and (face.mask is None or bool(face.mask.any()))


def _detect(display: Array, bundle_locator: Locator | None, device: str) -> list[LocatedFace]:
    """Faces of the first source that finds any."""
    sources: list[tuple[LandmarkSource, Locator]] = []
    if pretrained_landmarks.available():
        sources.append((LandmarkSource.FACE_ALIGNMENT, lambda frame: pretrained_landmarks.locate(frame, device)))
    if bundle_locator is not None:
        sources.append((LandmarkSource.BUNDLE, bundle_locator))
    for source, locator in sources:
        faces = [
            LocatedFace("", np.asarray(landmarks, np.float64), source, float(confidence))
            for landmarks, confidence in locator(display)
            if _usable(landmarks)
        ]
        if faces:
            return faces
    return []


def _usable(landmarks: Array) -> bool:
    """Whether found landmarks place a portrait at all; a network may well return nonsense."""
    try:
        portrait_transform(landmarks, 1)
    except LifelikeError:
        log.warning("left out a face whose landmarks are unusable")
        return False
    return True


def _distinct(found: list[LocatedFace], known: list[LocatedFace]) -> list[LocatedFace]:
    """The faces found, without those already known and without doubles, the most certain of which stays."""
    distinct: list[LocatedFace] = []
    for face in sorted(found, key=lambda face: face.confidence, reverse=True):
        if not any(_same(face, other) for other in [*known, *distinct]):
            distinct.append(face)
    return distinct


def _same(a: LocatedFace, b: LocatedFace) -> bool:
    """Whether two sets of landmarks show one face: middles nearer than half an inter-ocular distance of either."""
    distance = float(np.hypot(*(_middle(a) - _middle(b))))
    return distance < 0.5 * max(_eye_distance(a), _eye_distance(b))


def _middle(face: LocatedFace) -> Array:
    middle: Array = face.landmarks[27:48].mean(axis=0)
    return middle


def _eye_distance(face: LocatedFace) -> float:
    return float(np.hypot(*(face.landmarks[36:42].mean(axis=0) - face.landmarks[42:48].mean(axis=0))))


def _assigned(hints: dict[int, FaceHint], found: list[LocatedFace]) -> dict[int, LocatedFace]:
    """Faces found for hints without landmarks: hints with a mask choose first, by how much of the face it covers."""
    assigned: dict[int, LocatedFace] = {}
    left = sorted(found, key=lambda face: scale_of(portrait_transform(face.landmarks, 1)), reverse=True)
    for index in sorted(hints, key=lambda index: hints[index].mask is None):
        hint = hints[index]
        cover = [1.0 if hint.mask is None else _covered(face.landmarks, hint.mask) for face in left]
        if not cover or max(cover) < 0.3:
            log.warning("no face was found for %s", hint.name or f"hint {index + 1}")
            continue
        face = left.pop(int(np.argmax(cover)))
        assigned[index] = evolve(face, name=hint.name or f"face {index + 1}", mask=hint.mask)
    return assigned


def _covered(landmarks: Array, mask: Array) -> float:
    """Share of a face's inner landmarks that lie under a mask."""
    columns, rows = np.floor(landmarks[17:]).astype(int).T
    inside = (columns >= 0) & (columns < mask.shape[1]) & (rows >= 0) & (rows < mask.shape[0])
    return float((mask[rows[inside], columns[inside]] > 127).sum() / len(columns))
