# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `lifelike train look`; the defaults are those of the judge that is shipped."""

from __future__ import annotations

from attrs import field, frozen

from lifelike.training.portraits import PortraitData
from lifelike.training.supervised import AdamWSettings
from lifelike.training.task import RunSettings


@frozen
class LookSettings:
    """Everything `lifelike train look` can be told.

    resolution: side in pixels at which portraits are read.
    pool: drawn batches kept to be seen again, since drawing costs more than learning. fresh: share of updates on a new
        batch once the pool is full.
    disturbed_by: share of the run over which disturbances grow to full strength: the difference is learnt on clean
        pictures, then held on to on disturbed ones.
    smoothing: labels are this far from 0 and 1 (Szegedy et al., arXiv 1512.00567, section 7).
    """

    resolution: int = 128
    pool: int = 24  # tried out, as are the next two
    fresh: float = 0.4
    disturbed_by: float = 0.5
    smoothing: float = 0.02
    data: PortraitData = field(factory=PortraitData)
    optimiser: AdamWSettings = field(factory=lambda: AdamWSettings(rate=2e-3, decay=0.02))
    # 579 updates of 32 made the judge that is shipped.
    run: RunSettings = field(factory=lambda: RunSettings(pictures=18_528, batch=32))
