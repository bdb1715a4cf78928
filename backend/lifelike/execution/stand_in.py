# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in for a layer, and knows when it no longer may."""

from __future__ import annotations

from torch import nn


class StandIn:
    """Something made from a layer's weights; see `lifelike.networks.faster`."""

    def __init__(self, layer: nn.Module) -> None:
        self._layer = layer
        self._state = self._present_state()

    def current(self) -> bool:
        """Whether the layer's weights are still those this was made from."""
        return self._state == self._present_state()

    def _present_state(self) -> list[tuple[int, int]]:
        tensors = (*self._layer.parameters(), *self._layer.buffers())
        return [(value.data_ptr(), 0 if value.is_inference() else value._version) for value in tensors]

    def __deepcopy__(self, memo: dict) -> None:
        """A copy of the layer gets none: it is about to get other weights."""
