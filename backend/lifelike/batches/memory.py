# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a picture takes on its way, and room for several that is never overbooked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from lifelike.failures import cancelled

if TYPE_CHECKING:
    from lifelike.networks.stylegan2 import GeneratorSettings
    from lifelike_protocol.messages import Inversion

BYTES_PER_PIXEL = 100
"""Of a frame, with everything the pipeline makes of it, at the peak; measured: 91 for RGBA of 32-bit floats, 47 for
RGBA of 8 bits, with one face."""
ACTIVATIONS = 10
"""Maps as large as a generator's largest that a pass takes the memory of; measured, without compiled kernels: 9.7 in
configuration F at 256 pixels, 5.5 at 512."""
REFINING = (150 << 20, 10)
TUNING = (200 << 20, 19)
"""Bytes in any case, and how many times all maps of a pass of 32-bit floats, that a refinement or tuning takes the
memory of: the maps are kept for the gradients; measured: 180 and 314 MB in the built-in bundle, 2.7 and 5.1 GB in
configuration F at 1024 pixels."""
SHARE = 0.5
"""Of the memory that is free when a batch begins: the rest is for others."""
WAIT_SLICE = 0.2
"""Seconds between two looks at whether to stop."""


def frame_bytes(picture: Path) -> int:
    """What the picture of a file will take, by its header; 0 where that can't be read, which decoding explains."""
    import OpenImageIO as oiio  # here, since the command line looks at this module before it knows what to do

    source = oiio.ImageInput.open(str(picture))
    if source is None:
        oiio.geterror()  # forgets it
        return 0
    try:
        spec = source.spec()
        return int(max(spec.full_width, spec.width) * max(spec.full_height, spec.height) * BYTES_PER_PIXEL)
    finally:
        source.close()


def pass_bytes(settings: GeneratorSettings) -> int:
    """What the activations of one pass of a generator take, in 32-bit floats."""
    largest = max(settings.channels(resolution) * resolution**2 for resolution in settings.resolutions)
    return ACTIVATIONS * 4 * largest


def network_bytes(settings: GeneratorSettings, inversion: Inversion) -> int:
    """What the networks take of a picture's memory, with all that is kept for gradients where there are any."""
    if not inversion.refine and not inversion.tune:
        return pass_bytes(settings)
    always, times = TUNING if inversion.tune else REFINING
    maps = sum(settings.channels(resolution) * resolution**2 for resolution in settings.resolutions)
    return always + times * 4 * maps


def free_share() -> int:
    """Bytes that a batch may take."""
    return int(psutil.virtual_memory().available * SHARE)


class Room:
    """Memory that pictures share: each takes what it will need before it begins, in the order in which they come.

    A picture larger than all of it is let in alone, so that it fails by itself or, since the figures are rough, not at
    all.

    Args:
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._used = 0
        self._line = threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, amount: int, stop: threading.Event) -> Iterator[None]:
        """Waits until `amount` bytes are free and holds them.

        Raises:
            LifelikeError: CANCELLED when `stop` is set meanwhile.
        """
        # One waits for room and the others for it, or small pictures would pass a large one for ever.
        with self._line, self._changed:
            while self._used and self._used + amount > self.size:
                if stop.is_set():
                    raise cancelled()
                self._changed.wait(WAIT_SLICE)
            self._used += amount
        try:
            yield
        finally:
            with self._changed:
                self._used -= amount
                self._changed.notify_all()
