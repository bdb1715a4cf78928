# SPDX-License-Identifier: GPL-3.0-or-later
"""Every message of the protocol, and the values they carry.

Arrays are ordinary numpy arrays here; `codec` puts each in a frame of its own on the wire.
Coordinates are pixels, x right, y down, the centre of the first pixel at (0.5, 0.5).
PROTOCOL.md describes the same messages for other languages.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
from attrs import field, frozen

PROTOCOL_VERSION = 2

SPOKEN_VERSIONS = (1, 2)
"""A backend answers clients of all of these in their own version; a client speaks the newest."""

SINCE_2 = {"since": 2}
"""Metadata of a field that version 1 does not have: left out of its messages, refused in them."""

Array = np.ndarray[Any, Any]


class Stage(str, Enum):
    """Where a job is. The five steps of the pipeline follow `QUEUED` and `LOADING`."""

    QUEUED = "queued"
    LOADING = "loading"
    LOCATE = "locate"
    ALIGN = "align"
    INVERT = "invert"
    TRANSFER = "transfer"
    COMPOSITE = "composite"


class Method(str, Enum):
    """How the generator pair is applied to a portrait x with inverted latent w⁺."""

    BUNDLE = "bundle"
    """Whichever of the two the bundle's card names."""
    DECODE = "decode"
    """G_photo(w⁺)."""
    DIFFERENCE = "difference"
    """x + G_photo(w⁺) − G_render(w⁺)."""


class LandmarkSource(str, Enum):
    """Who found a face."""

    SCENE = "scene"
    FACE_ALIGNMENT = "face_alignment"
    BUNDLE = "bundle"


@frozen
class Encoding:
    """What the pixel values mean.

    `kind` is "display" (display-referred sRGB, 0…1 or 0…255, already through `view_transform`) or
    "scene_linear" (linear Rec.709, unbounded; `view_transform`, `look`, `exposure` in stops and
    `gamma` say how Blender would show it). `ocio_config` is a path of the OpenColorIO configuration
    that knows `view_transform`; it is needed for "scene_linear" unless the view is "Standard" or "Raw".
    """

    kind: str = "display"
    view_transform: str = "Standard"
    look: str = "None"
    exposure: float = 0.0
    gamma: float = 1.0
    ocio_config: str = ""


@frozen
class Source:
    """Where a frame came from; for the log, never acted on."""

    scene: str = ""
    camera: str = ""
    frame: int = 0


@frozen
class FaceHint:
    """What the sender knows of one face.

    landmarks: (68, 2) float64, iBUG order, pixels; None: the backend finds them near `mask` or anywhere.
    mask: (H, W) uint8 0…255 of the whole frame, or None: from the face outline.
    """

    name: str = ""
    landmarks: Array | None = None
    mask: Array | None = None


@frozen
class Frame:
    """One picture. pixels: (H, W, C) C-order, row 0 on top, C 3 or 4, uint8, float16 or float32."""

    pixels: Array
    encoding: Encoding = Encoding()
    faces: tuple[FaceHint, ...] = ()
    source: Source = Source()


@frozen
class Inversion:
    """How long to look for the latent after the encoder's one pass; both end earlier when nothing gets better.

    refine: steps of the latent's refinement at most, 0…1000.
    tune: steps of pivotal tuning of the generators' weights at most, 0…1000.
    """

    refine: int = 0
    tune: int = 0


@frozen
class Restoration:
    """How much of the input comes back where the inversion lost it, each 0…1.

    Only for a decode, G_photo(w⁺); the difference keeps all of the input anyway. docs/inversion.md shows why these
    defaults.
    """

    iris: float = 1.0
    skin: float = 1.0
    background: float = 1.0
    accessories: float = 1.0


@frozen
class Settings:
    """How to work. strength 0…1; bundle: a name `status` lists, or a path on the backend's machine."""

    bundle: str = "builtin"
    strength: float = 1.0
    method: Method = Method.BUNDLE
    inversion: Inversion = field(default=Inversion(), metadata=SINCE_2)
    restoration: Restoration = field(default=Restoration(), metadata=SINCE_2)


@frozen
class FaceResult:
    """What was done to one face.

    landmarks: (68, 2) float64, pixels of the frame.
    transform: (3, 3) float64, portrait pixels to frame pixels.
    portrait, photo: (R, R, 3) uint8 display-referred sRGB, the aligned crop before and after.
    box: (x0, y0, x1, y1), half open, the part of the frame that `mask` covers.
    mask: (y1 − y0, x1 − x0) uint8, the soft mask that was used.
    identity_similarity: cosine of the two portraits, −1…1, or None where the bundle cannot tell.
    landmark_drift: % of the inter-ocular distance, or None where it was not measured.
    """

    name: str
    landmarks: Array
    landmark_source: LandmarkSource
    transform: Array
    portrait: Array
    photo: Array
    box: tuple[int, int, int, int]
    mask: Array
    identity_similarity: float | None = None
    landmark_drift: float | None = None
    warnings: tuple[str, ...] = ()


@frozen
class Provenance:
    """What made a result: enough to make it again, and under which terms.

    licence: of the bundle. non_commercial: whether its terms allow non-commercial use alone.
    citation: the works its authors ask to have named, one a line.
    """

    bundle: str
    bundle_sha256: str
    settings: Settings
    device: str
    versions: dict[str, str]
    licence: str = field(default="", metadata=SINCE_2)
    non_commercial: bool = field(default=False, metadata=SINCE_2)
    citation: str = field(default="", metadata=SINCE_2)


# From the client.


@frozen
class Hello:
    """The first message of a connection: the protocol versions the client can speak.

    It never changes, so a client that leaves `versions` out is one of version 1.
    """

    versions: tuple[int, ...] = (1,)
    client: str = ""


@frozen
class Submit:
    """Asks for one picture. `job` is the client's own name for it, unique among its open jobs.

    preview: whether a `Preview` is wanted where the settings ask for more than the encoder's one pass.
    """

    job: str
    frame: Frame
    settings: Settings = Settings()
    preview: bool = field(default=False, metadata=SINCE_2)


@frozen
class Cancel:
    """Ends a job as soon as possible; its last message is then an `Error` with code "cancelled"."""

    job: str


@frozen
class Ping:
    """Heartbeat; answered by `Pong` at once, whatever the pipeline does."""

    token: int = 0


@frozen
class StatusRequest:
    """Asks for a `Status`."""


@frozen
class Shutdown:
    """Asks the backend to end; answered by `Goodbye`."""


# From the backend.


@frozen
class Welcome:
    """Answers `Hello`: the version both will speak. max_side: pixels, the longest side a picture may have."""

    version: int
    server: str
    device: str
    pid: int
    max_side: int = 16384


@frozen
class Progress:
    """A job advanced. fraction: 0…1 of the whole job. queue_position: jobs before this one.

    error: while a face's inversion is refined or tuned, how far G_render(w⁺) is from the portrait: the root mean square
    of the difference, in display values 0…1. None otherwise.
    """

    job: str
    stage: Stage
    fraction: float
    queue_position: int = 0
    error: float | None = field(default=None, metadata=SINCE_2)


@frozen
class Preview:
    """What the encoder's one pass comes to, while a better picture is being made; at most one a job, since version 2.

    pixels: the frame's own shape, dtype and encoding.
    """

    job: str
    pixels: Array
    encoding: Encoding


@frozen
class Result:
    """A job's last message when it went well. pixels: the frame's own shape, dtype and encoding."""

    job: str
    pixels: Array
    encoding: Encoding
    faces: tuple[FaceResult, ...]
    timings: dict[str, float]
    """Seconds per stage, and "total"."""
    provenance: Provenance


@frozen
class Error:
    """A job's, or when `job` is empty a message's, failure. `code` is a value of `ErrorCode`."""

    code: str
    what: str
    remedy: str = ""
    job: str = ""


@frozen
class Pong:
    """Answers `Ping`."""

    token: int = 0


@frozen
class BundleSummary:
    """One bundle the backend can use."""

    name: str
    resolution: int
    licence: str
    description: str
    sha256: str


@frozen
class Status:
    """What the backend is doing. memory_bytes: resident memory of the process."""

    pid: int
    device: str
    uptime: float
    working_on: str
    queued: int
    loaded_bundles: tuple[str, ...]
    bundles: tuple[BundleSummary, ...]
    memory_bytes: int
    log_file: str
    versions: dict[str, str] = field(factory=dict)


@frozen
class Goodbye:
    """Answers `Shutdown`, and is sent to every client before the backend ends."""

    reason: str = ""


CLIENT_MESSAGES = (Hello, Submit, Cancel, Ping, StatusRequest, Shutdown)
SERVER_MESSAGES = (Welcome, Progress, Preview, Result, Error, Pong, Status, Goodbye)
Message = (
    Hello
    | Submit
    | Cancel
    | Ping
    | StatusRequest
    | Shutdown
    | Welcome
    | Progress
    | Preview
    | Result
    | Error
    | Pong
    | Status
    | Goodbye
)
