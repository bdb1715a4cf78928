# SPDX-License-Identifier: GPL-3.0-or-later
"""Other ways to compute a layer when no gradients are needed (see `lifelike.execution`)."""

from __future__ import annotations

from typing import Any, Protocol

import torch


class Faster(Protocol):
    """What stands in for a layer: computes the same from a copy of its weights."""

    def __call__(self, *inputs: Any) -> Any:
        """As the layer's `forward`."""

    def current(self) -> bool:
        """Whether the layer's weights are still those that were copied."""


def usable(faster: Faster | None) -> Faster | None:
    """`faster` where it may stand in now."""
    return faster if faster is not None and not torch.is_grad_enabled() and faster.current() else None
