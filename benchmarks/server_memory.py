# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the backend's memory stays steady over many requests.

    python benchmarks/server_memory.py [--requests 500]

Sends pictures of several sizes and element types, a failing one (no face) and a cancelled one among every ten, and
after each round asks the backend, at rest, for its resident memory. The first fifth is warming up. It prints the
memory as it goes, then the median of the first and of the last fifth after warming up. The aim is a change of at most
5 %; the exit status is 1 when it grew by more. A leak shows as steady growth; a single step that stays is the
allocator's.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from attrs import evolve
from measured_backend import measured_backend, noise_frame

from lifelike_protocol.client import Client
from lifelike_protocol.errors import ErrorCode, LifelikeError

AIM_SHARE = 0.05
ROUND = 10
SAMPLES = 4
SAMPLE_SECONDS = 0.1
SIDES = (256, 512, 768, 1024)
TYPES = (("uint8", 3), ("uint8", 4), ("float16", 4), ("float32", 4))


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=500)
    requests = parser.parse_args().requests
    memory = []
    with measured_backend("--idle-unload", "0") as client:
        for number in range(requests):
            _request(client, number)
            if (number + 1) % ROUND == 0:
                memory.append(_memory_at_rest(client))
                print(f"{number + 1:5} requests  {memory[-1]:8.1f} MB", flush=True)
    warm = memory[len(memory) // 5 :]
    share = max(1, len(warm) // 5)
    first, last = np.median(warm[:share]), np.median(warm[-share:])
    print(f"after warming up {first:.1f} MB, at the end {last:.1f} MB: {last / first - 1:+.1%} (aim: within 5 %)")
    return int(last > first * (1 + AIM_SHARE))


def _memory_at_rest(client: Client) -> float:
    """Megabytes once the last job's buffers are freed, which happens just after its answer."""
    samples = []
    for _ in range(SAMPLES):
        time.sleep(SAMPLE_SECONDS)
        samples.append(client.status().memory_bytes / 2**20)
    return min(samples)


def _request(client: Client, number: int) -> None:
    """The `number`th request: of every ten one fails, one is cancelled, eight go well."""
    dtype, channels = TYPES[number // len(SIDES) % len(TYPES)]
    frame = noise_frame(SIDES[number % len(SIDES)], dtype, channels, seed=number)
    if number % ROUND == 3:
        expected = ErrorCode.NO_FACE
        frame = evolve(frame, pixels=np.full_like(frame.pixels, 0), faces=())
    elif number % ROUND == 7:
        expected = ErrorCode.CANCELLED
    else:
        client.enhance(frame)
        return
    job = client.submit(frame)
    if expected is ErrorCode.CANCELLED:
        client.cancel(job)
    try:
        list(client.events(job))
    except LifelikeError as error:
        if error.code is not expected:
            raise


if __name__ == "__main__":
    sys.exit(main())
