# SPDX-License-Identifier: GPL-3.0-or-later
"""Some steps of Adam with an eye on when to stop: what refinement and tuning have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from attrs import frozen
from torch import Tensor

Tell = Callable[[int, float], None]
"""Called before each step with its number from 0 and the error of the best so far; what it raises ends the descent."""


@frozen
class Patience:
    """When to give up: after `steps` steps in which the best loss fell by less than the share `least`."""

    steps: int = 10
    least: float = 0.005


class BestSoFar:
    """Copies of the values with which each of N portraits came nearest."""

    def __init__(self, values: Sequence[Tensor]) -> None:
        self._values = values
        self.values = [value.detach().clone() for value in values]
        self._loss: Tensor | None = None
        self.error = torch.zeros(())

    def see(self, loss: Tensor, error: Tensor) -> float:
        """Takes in how the values do now, loss and error [N]; returns the sum of the best losses."""
        loss, error = loss.detach(), error.detach()
        if self._loss is None:
            self._loss, self.error = loss.clone(), error.clone()
            return float(self._loss.sum())
        better = loss < self._loss
        self._loss, self.error = torch.where(better, loss, self._loss), torch.where(better, error, self.error)
        if bool(better.all()):
            for kept, value in zip(self.values, self._values, strict=True):
                kept.copy_(value.detach())
        elif bool(better.any()):
            for kept, value in zip(self.values, self._values, strict=True):
                kept[better] = value.detach()[better]
        return float(self._loss.sum())


def descend(
    groups: Sequence[tuple[Sequence[Tensor], float]],
    measure: Callable[[int], tuple[Tensor, Tensor, Tensor]],
    steps: int,
    tell: Tell = lambda step, error: None,
    patience: Patience = Patience(),
) -> list[Tensor]:
    """Move values downhill with Adam and give back the best that were met, the ones it began with among them.

    Args:
        groups: leaf tensors that require gradients, whose first side is the N portraits (or whatever it is where N is
            1), with the learning rate of each group.
        measure: from the step's number to what is descended (a scalar), and for each portrait apart how good the
            present values are: loss [N], by which the best are chosen, and error [N], which is told.
        steps: at most.
        tell: progress, and the way to cancel.
        patience: when to end earlier.

    Returns:
        In the order of `groups`, without a graph.
    """
    values = [value for group, _ in groups for value in group]
    # β₁ and β₂ are Adam's own: 0.9 and 0.999, as in Abdal et al. (arXiv 1904.03189).
    optimiser = torch.optim.Adam([{"params": list(group), "lr": rate} for group, rate in groups])
    best = BestSoFar(values)
    marked, marked_at = float("inf"), 0
    for step in range(steps + 1):
        descended, loss, error = measure(step)
        reached = best.see(loss, error)
        tell(step, float(best.error.mean()))
        if reached < marked * (1 - patience.least):
            marked, marked_at = reached, step
        if step == steps or step - marked_at >= patience.steps or not torch.isfinite(descended):
            break
        optimiser.zero_grad()
        descended.backward()
        optimiser.step()
    return best.values
