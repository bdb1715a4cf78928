# SPDX-License-Identifier: GPL-3.0-or-later
"""What torch alone computes with prepared weights is the plain layer's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lifelike.execution.prepared import BAND, doubled
from lifelike.networks.blur import blur


@pytest.mark.parametrize("height", [BAND - 1, BAND + 1, 3 * BAND])
@torch.inference_mode()
def test_doubling_in_bands_is_doubling_at_once(height: int) -> None:
    torch.manual_seed(0)
    x, weight = torch.randn(2, 12, height, 20), torch.randn(12, 8, 3, 3)
    x = x.contiguous(memory_format=torch.channels_last)
    right = blur(F.conv_transpose2d(x, weight, stride=2), padding=1, gain=4.0)
    assert torch.allclose(doubled(x, weight), right, atol=1e-4)
