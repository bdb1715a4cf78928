# SPDX-License-Identifier: GPL-3.0-or-later
"""What a message may say: ranges, shapes and element types, checked alike before sending and after receiving.

`codec` has by then made sure that each field is of its type. Nothing here copies or allocates
more than a few rows of a picture.
"""

from __future__ import annotations

import math

import numpy as np
from attrs import asdict, frozen

from .errors import ErrorCode, LifelikeError
from .messages import (
    Array,
    Encoding,
    FaceHint,
    FaceResult,
    Frame,
    Hello,
    Message,
    Preview,
    Progress,
    Result,
    Settings,
    Submit,
)

PIXEL_TYPES = ("uint8", "float16", "float32")
ENCODING_KINDS = ("display", "scene_linear")
MAX_SIDE = 16384
MAX_NAME = 4096
"""Characters of a job's or a bundle's name."""
MAX_STEPS = 1000
"""Of refinement and of tuning: Abdal et al. (arXiv 1904.03189) take at most 5000 from nowhere, Roich et al.
(arXiv 2106.05744) 350 from a pivot; more only keeps a backend busy."""
_FINITE_BLOCK = 1 << 18
"""Values looked at in one go: small enough to stay in the processor's cache."""


@frozen
class Limits:
    """What a receiver accepts.

    max_side: pixels, the longest side of a picture. max_faces: in one picture.
    max_header: bytes of the msgpack header.
    """

    max_side: int = MAX_SIDE
    max_faces: int = 64
    max_header: int = 256 * 1024

    @property
    def array_side(self) -> int:
        """The longest side of arrays that are no pictures; a smaller `max_side` leaves landmarks and portraits be."""
        return max(self.max_side, MAX_SIDE)


def validate(message: Message, limits: Limits) -> None:
    """Checks what the types alone cannot say.

    Raises:
        LifelikeError: MALFORMED (shape, element type), SIZE_LIMIT, SIZE_MISMATCH, NON_FINITE or INVALID_SETTING.
    """
    if isinstance(message, Submit):
        _check_name("job", message.job)
        _check_settings(message.settings)
        _check_frame(message.frame, limits)
    elif isinstance(message, Result):
        _check_pixels(message.pixels, limits)
        _check_encoding(message.encoding)
        _check_face_count(len(message.faces), limits)
        for face in message.faces:
            _check_face_result(face, limits)
    elif isinstance(message, Preview):
        _check_pixels(message.pixels, limits)
        _check_encoding(message.encoding)
    elif isinstance(message, Progress):
        _check_range("fraction", message.fraction, 0.0, 1.0)
        if message.error is not None:
            _check_range("inversion's error", message.error, 0.0, math.inf)
        if message.queue_position < 0:
            raise LifelikeError(ErrorCode.INVALID_SETTING, "A queue position is negative.", "Count from 0.")
    elif isinstance(message, Hello) and not message.versions:
        raise LifelikeError(ErrorCode.VERSION_MISMATCH, "The greeting names no protocol version.", "Name at least one.")


def _check_settings(settings: Settings) -> None:
    _check_name("bundle", settings.bundle)
    _check_range("strength", settings.strength, 0.0, 1.0)
    _check_range("number of refinement steps", settings.inversion.refine, 0, MAX_STEPS)
    _check_range("number of tuning steps", settings.inversion.tune, 0, MAX_STEPS)
    for name, share in asdict(settings.restoration).items():
        _check_range(f"restoration of the {name}", share, 0.0, 1.0)


def _check_frame(frame: Frame, limits: Limits) -> None:
    _check_pixels(frame.pixels, limits)
    _check_encoding(frame.encoding)
    _check_face_count(len(frame.faces), limits)
    for face in frame.faces:
        _check_face_hint(face, frame.pixels.shape[:2], limits)
    _check_finite("The picture", frame.pixels)


def _check_encoding(encoding: Encoding) -> None:
    if encoding.kind not in ENCODING_KINDS:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"The colour encoding {encoding.kind!r:.40} is unknown.",
            f"Use one of: {', '.join(ENCODING_KINDS)}.",
        )
    if not math.isfinite(encoding.exposure) or not (math.isfinite(encoding.gamma) and encoding.gamma > 0):
        raise LifelikeError(
            ErrorCode.INVALID_SETTING,
            f"Exposure {encoding.exposure} with gamma {encoding.gamma} is no view.",
            "Give a finite exposure and a gamma above 0.",
        )


def _check_pixels(pixels: Array, limits: Limits) -> None:
    _check_array("The picture", pixels, PIXEL_TYPES, (None, None, None), limits)
    if not all(1 <= side <= limits.max_side for side in pixels.shape[:2]):
        raise LifelikeError(
            ErrorCode.SIZE_LIMIT,
            f"The picture is {pixels.shape[1]} × {pixels.shape[0]} pixels; at most {limits.max_side} a side will do.",
            "Send a smaller picture, or start the backend with a larger limit (--max-side).",
        )
    if pixels.shape[2] not in (3, 4):
        raise LifelikeError(
            ErrorCode.MALFORMED, f"The picture has {pixels.shape[2]} channels.", "Send RGB or RGBA: 3 or 4 channels."
        )


def _check_face_count(count: int, limits: Limits) -> None:
    if count > limits.max_faces:
        raise LifelikeError(
            ErrorCode.SIZE_LIMIT, f"{count} faces are more than {limits.max_faces}.", "Send fewer faces at a time."
        )


def _check_face_hint(face: FaceHint, frame_shape: tuple[int, ...], limits: Limits) -> None:
    if face.landmarks is not None:
        _check_landmarks(face.landmarks, limits)
    if face.mask is not None:
        _check_array("A face's mask", face.mask, ("uint8",), (None, None), limits)
        if face.mask.shape != frame_shape:
            raise LifelikeError(
                ErrorCode.SIZE_MISMATCH,
                f"A face's mask is {face.mask.shape} where the picture is {frame_shape}.",
                "Send masks of the picture's own size.",
            )


def _check_face_result(face: FaceResult, limits: Limits) -> None:
    _check_landmarks(face.landmarks, limits)
    _check_array("A transform", face.transform, ("float64",), (3, 3), limits)
    _check_finite("A transform", face.transform)
    for crop in (face.portrait, face.photo):
        _check_array("A portrait", crop, ("uint8",), (None, None, 3), limits)
        if crop.shape != face.portrait.shape or crop.shape[0] != crop.shape[1]:
            raise LifelikeError(ErrorCode.SIZE_MISMATCH, "A portrait is not square, or not the size of its photo.")
    _check_array("A mask", face.mask, ("uint8",), (None, None), limits)
    x0, y0, x1, y1 = face.box
    if face.mask.shape != (y1 - y0, x1 - x0):
        raise LifelikeError(ErrorCode.SIZE_MISMATCH, f"A mask of {face.mask.shape} does not fill the box {face.box}.")


def _check_landmarks(landmarks: Array, limits: Limits) -> None:
    _check_array("A face's landmarks", landmarks, ("float64",), (68, 2), limits)
    _check_finite("A face's landmarks", landmarks)
    if np.abs(landmarks).max() > 10 * limits.max_side:
        raise LifelikeError(
            ErrorCode.SIZE_LIMIT, "A face's landmarks lie absurdly far outside the picture.", "Send pixel coordinates."
        )


def _check_array(
    what: str, array: Array, dtypes: tuple[str, ...], shape: tuple[int | None, ...], limits: Limits
) -> None:
    """`shape` has None where any side within the limits will do."""
    if not isinstance(array, np.ndarray) or array.dtype.name not in dtypes:
        raise LifelikeError(
            ErrorCode.MALFORMED,
            f"{what} is of {getattr(array, 'dtype', type(array).__name__)}.",
            f"Send it as {' or '.join(dtypes)}.",
        )
    fits = len(array.shape) == len(shape) and all(
        want is None or want == side for side, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = " × ".join("any" if side is None else str(side) for side in shape)
        raise LifelikeError(ErrorCode.MALFORMED, f"{what} has the shape {array.shape}.", f"Send it as {wanted}.")
    if not all(1 <= side <= limits.array_side for side in array.shape):
        raise LifelikeError(
            ErrorCode.SIZE_LIMIT,
            f"{what} is {array.shape}, with a side outside 1 to {limits.array_side}.",
            "Send a smaller one.",
        )


def _check_finite(what: str, array: Array) -> None:
    if array.dtype.kind != "f":
        return
    # Block by block, so that a large picture needs no second one of booleans.
    rows = max(1, _FINITE_BLOCK // max(1, array[0].size))
    for start in range(0, len(array), rows):
        if not np.isfinite(array[start : start + rows]).all():
            raise LifelikeError(
                ErrorCode.NON_FINITE,
                f"{what} holds values that are not finite numbers (NaN or infinity).",
                "Find what makes them, often a division by zero in a material or a compositor node.",
            )


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, f"The {name} {value} is outside {low:g} to {high:g}.", "Choose one inside."
        )


def _check_name(field_name: str, value: str) -> None:
    if not 1 <= len(value) <= MAX_NAME:
        raise LifelikeError(
            ErrorCode.INVALID_SETTING, f"The {field_name}'s name is empty or too long.", f"Use 1 to {MAX_NAME} letters."
        )
