# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks whose tensors have sizes and take no memory, to be given somebody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_AS_IT_IS = {torch.Tensor.__truediv__, torch.Tensor.div, torch.Tensor.mul_}
"""What networks here do to fresh weights; it changes no size."""


class _WithoutValues(TorchFunctionMode):
    """Draws nothing and calculates nothing with what would have been drawn.

    On the meta device both would work too, but for the first of them torch imports its reference implementations,
    which takes longer than all else here and a hundred megabytes.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is torch.randn:
            func = torch.empty
        elif func in _AS_IT_IS and args[0].is_meta:
            return args[0]
        return func(*args, **(kwargs or {}))


@contextmanager
def unfilled() -> Iterator[None]:
    """Networks built here lie on the meta device: load a state with `assign=True`, or they stay there."""
    with torch.device("meta"), _WithoutValues():
        yield
