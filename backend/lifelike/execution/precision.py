# SPDX-License-Identifier: GPL-3.0-or-later
"""The floating-point precision that the networks run in, as a person can wish for it."""

from __future__ import annotations

from enum import Enum


class Precision(Enum):
    """What numbers the networks multiply; AUTO: the fastest whose pictures look the same."""

    AUTO = "auto"
    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"
