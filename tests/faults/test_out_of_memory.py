# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory runs out in the middle of a picture: the client is told, and the backend serves on."""

from __future__ import annotations

from collections.abc import Callable

import psutil
import pytest

from lifelike_protocol.errors import ErrorCode, LifelikeError
from lifelike_protocol.messages import Frame
from running_backend import RunningBackend

SIDE = 4096
# Enough to receive the picture (3 bytes a pixel, encrypted and not), too little to make floats of it (12 bytes).
SPARE_BYTES = 11 * SIDE**2


@pytest.mark.skipif(not hasattr(psutil, "RLIMIT_AS"), reason="only Linux can limit another process's memory")
def test_out_of_memory_is_told_and_the_backend_serves_on(
    start_backend: Callable[..., RunningBackend], portrait: Callable[..., Frame]
) -> None:
    backend = start_backend("--idle-unload", "0", "--threads", "1")
    with backend.connect() as client:
        assert client.enhance(portrait()).faces
        process = psutil.Process(backend.process.pid)
        unlimited = process.rlimit(psutil.RLIMIT_AS)
        process.rlimit(psutil.RLIMIT_AS, (process.memory_info().vms + SPARE_BYTES, unlimited[1]))
        with pytest.raises(LifelikeError) as failed:
            client.enhance(portrait(side=SIDE))
        assert failed.value.code is ErrorCode.OUT_OF_MEMORY
        assert failed.value.remedy
        process.rlimit(psutil.RLIMIT_AS, unlimited)
        assert client.enhance(portrait()).faces
    assert "out of memory" in backend.log
