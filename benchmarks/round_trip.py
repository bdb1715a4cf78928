# SPDX-License-Identifier: GPL-3.0-or-later
"""How much longer a picture takes than its pipeline: encoding, both ways over the socket, the queue, decoding.

    python benchmarks/round_trip.py [--requests 30]

For each kind of 1024 × 1024 frame it prints the overhead: the time of `Client.enhance` in this process minus the
seconds the pipeline says it took in the backend's process. The aim is a median of at most 150 ms for each; the exit
status is 1 when one is above. The 90th percentile shows how even it is: on a machine busy with other work both rise.
"""

from __future__ import annotations

import argparse
import sys
import time

import numpy as np
from measured_backend import measured_backend, noise_frame

SIDE = 1024
AIM_SECONDS = 0.150
KINDS = {"RGB, 8 bits": ("uint8", 3), "RGBA, 8 bits": ("uint8", 4), "RGBA, 32-bit floats": ("float32", 4)}


def main() -> int:
    """Measure and print; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=30, help="of each kind of frame")
    requests = parser.parse_args().requests
    worst = 0.0
    with measured_backend() as client:
        for kind, (dtype, channels) in KINDS.items():
            frame = noise_frame(SIDE, dtype, channels)
            client.enhance(frame)  # loads the bundle, warms up
            overheads, pipelines = [], []
            for _ in range(requests):
                started = time.perf_counter()
                result = client.enhance(frame)
                pipelines.append(result.timings["total"])
                overheads.append(time.perf_counter() - started - pipelines[-1])
            median, high = np.percentile(overheads, [50, 90])
            worst = max(worst, float(median))
            print(
                f"{kind:20}  overhead: median {median * 1000:6.1f} ms, 90 % within {high * 1000:6.1f} ms"
                f"  (pipeline: median {np.median(pipelines) * 1000:6.0f} ms)",
                flush=True,
            )
    print(f"worst median {worst * 1000:.1f} ms, aim {AIM_SECONDS * 1000:.0f} ms")
    return int(worst > AIM_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
