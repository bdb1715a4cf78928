# SPDX-License-Identifier: GPL-3.0-or-later
"""torch's own convolution with its weight laid out once as oneDNN wants it; torch lays it out anew in every call."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


class PackedConvolution:
    """Convolution with bias and leaky ReLU, for frozen weights on a CPU.

    What lays weights out is what torch's compiler uses, but no public part of torch: where it is missing or refuses,
    the ordinary convolution computes the same.

    Args:
        weight: [O, I, K, K] of its own: once laid out, the original is let go.
        bias: [O] of the weight's type.
        slope: of the leaky ReLU; 1 leaves it out.
    """

    def __init__(self, weight: Tensor, bias: Tensor, *, stride: int = 1, padding: int = 0, slope: float = 1.0) -> None:
        self.bias, self.slope = bias, slope
        self.stride, self.padding = [stride, stride], [padding, padding]
        self._plain: Tensor | None = weight
        self._packed: Tensor | None = None
        self._refused = weight.device.type != "cpu" or not torch.backends.mkldnn.is_available()

    def __call__(self, x: Tensor) -> Tensor:
        """[NIRR] of the weight's type, channels last → [NORR] / stride."""
        plain = self._plain  # another thread may lay it out at this moment
        if self._packed is None and not self._refused and plain is not None:
            self._pack(plain, x)
        if self._packed is not None:
            activation: tuple[Any, ...] = ("none", [], "") if self.slope == 1.0 else ("leaky_relu", [self.slope], "")
            y: Tensor = torch.ops.mkldnn._convolution_pointwise(
                x, self._packed, self.bias, self.padding, self.stride, [1, 1], 1, *activation
            )
            return y
        assert plain is not None
        y = F.conv2d(x, plain, self.bias, self.stride, self.padding)
        return y if self.slope == 1.0 else F.leaky_relu_(y, self.slope)

    def _pack(self, weight: Tensor, x: Tensor) -> None:
        try:
            self._packed = torch.ops.mkldnn._reorder_convolution_weight(
                weight, self.padding, self.stride, [1, 1], 1, list(x.shape)
            )
            self._plain = None
        except (AttributeError, RuntimeError):
            self._refused = True
