# SPDX-License-Identifier: GPL-3.0-or-later
"""The two spaces that latents are given in."""

from __future__ import annotations

from enum import Enum


class Space(str, Enum):
    """What latents are."""

    Z = "z"
    """Of a normal distribution, before the mapping network."""
    W = "w"
    """After it: one for all layers, or W+, one for each."""
