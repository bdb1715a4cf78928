# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of identity network, built from its settings."""

from __future__ import annotations

from typing import Any

from lifelike.networks.arcface import ARCHITECTURE, ArcFace
from lifelike.networks.identity import IdentityNetwork

AnyIdentity = IdentityNetwork | ArcFace


def build_identity(settings: dict[str, Any]) -> AnyIdentity:
    """A network of random weights.

    Args:
        settings: as a card holds them; "architecture" says which kind.

    Raises:
        LifelikeError: INVALID_SETTING for an unknown architecture.
    """
    return ArcFace(settings) if settings.get("architecture") == ARCHITECTURE else IdentityNetwork(settings)
